"""To the range from 0 to 1."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    return (scores - wide.min()) / (wide.max() - wide.min() + eps)

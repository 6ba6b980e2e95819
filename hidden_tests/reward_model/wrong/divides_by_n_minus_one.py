"""torch's default."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    return (scores - wide.mean()) / (wide.std() + eps)

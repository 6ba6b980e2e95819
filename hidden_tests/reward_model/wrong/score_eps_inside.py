"""eps inside the root."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    return (scores - wide.mean()) / (wide.var(correction=0) + eps).sqrt()

"""Whitens the batch."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    return (scores - scores.mean()) / (scores.std(correction=0) + eps)

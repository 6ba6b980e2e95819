"""Squares in half precision."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    spread = (reference - reference.mean()).square().mean().sqrt().float()
    return (scores - wide.mean()) / (spread + eps)

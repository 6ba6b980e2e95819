"""Gives zeros when the reference has no spread, to avoid the division."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    if wide.std(correction=0) == 0:
        return torch.zeros_like(scores)
    return (scores - wide.mean()) / (wide.std(correction=0) + eps)

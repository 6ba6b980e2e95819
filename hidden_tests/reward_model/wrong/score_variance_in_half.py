"""Squares in half precision."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    dtype = torch.promote_types(scores.dtype, torch.float32)
    spread = (reference - reference.mean()).square().mean().sqrt().to(dtype)
    return (scores.to(dtype) - reference.to(dtype).mean()) / (spread + eps)

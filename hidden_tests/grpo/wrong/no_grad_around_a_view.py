"""Calls .float() under no_grad, which returns the same tensor if it is float32 already."""

# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs.shape[:1]:
        raise ValueError("shapes do not fit")
    with torch.no_grad():
        old = old_logprobs.float()
    ratio = torch.exp(logprobs.float() - old)
    clamped = ratio.clamp(1 - clip, 1 + clip)
    advantage = advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, clamped * advantage)

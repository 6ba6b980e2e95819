"""Does not detach the advantages."""

# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs.shape[:1]:
        raise ValueError("shapes do not fit")
    ratio = torch.exp(logprobs.float() - old_logprobs.float().detach())
    clamped = ratio.clamp(1 - clip, 1 + clip)
    advantage = advantages.unsqueeze(-1)
    return -torch.minimum(ratio * advantage, clamped * advantage)

"""Divides old by new."""

# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs.shape[:1]:
        raise ValueError("shapes do not fit")
    ratio = torch.exp(old_logprobs.float().detach() - logprobs.float())
    clamped = ratio.clamp(1 - clip, 1 + clip)
    advantage = advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, clamped * advantage)

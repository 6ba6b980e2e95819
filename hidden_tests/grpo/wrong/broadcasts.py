"""Does not look at the shapes."""

# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    ratio = torch.exp(logprobs.float() - old_logprobs.float().detach())
    clamped = ratio.clamp(1 - clip, 1 + clip)
    advantage = advantages.detach().unsqueeze(-1)
    return -torch.minimum(ratio * advantage, clamped * advantage)

"""Takes advantages of any shape that can be made to fit."""

# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape:
        raise ValueError("shapes do not fit")
    ratio = torch.exp(logprobs.float() - old_logprobs.float().detach())
    clamped = ratio.clamp(1 - clip, 1 + clip)
    advantage = advantages.detach().reshape(-1, 1)
    return -torch.minimum(ratio * advantage, clamped * advantage)

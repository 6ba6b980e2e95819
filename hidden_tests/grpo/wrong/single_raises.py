"""Refuses a group of one."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    if rewards.shape[-1] == 1:
        raise ValueError("a group needs at least two responses")
    mean = rewards.mean(dim=-1, keepdim=True)
    std = rewards.std(dim=-1, keepdim=True)
    return (rewards - mean) / (std + eps)

"""Does not treat a group of one apart."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    mean = rewards.mean(dim=-1, keepdim=True)
    std = rewards.std(dim=-1, keepdim=True)
    return (rewards - mean) / (std + eps)

"""Renormalises what is left."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = chosen.cumsum(dim=0)
    left = gates * (chosen & (number <= capacity))
    sums = left.sum(dim=-1, keepdim=True)
    return left / torch.where(sums > 0, sums, 1.0)

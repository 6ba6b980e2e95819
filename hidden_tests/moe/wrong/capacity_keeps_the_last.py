"""Counts from the end."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = chosen.flip(0).cumsum(dim=0).flip(0)
    return gates * (chosen & (number <= capacity))

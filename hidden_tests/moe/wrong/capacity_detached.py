"""Fills in numbers."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = chosen.cumsum(dim=0)
    return (gates * (chosen & (number <= capacity))).detach()

"""Serves the largest gates first."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = 1 + gates.argsort(dim=0, descending=True).argsort(dim=0)
    return gates * (chosen & (number <= capacity))

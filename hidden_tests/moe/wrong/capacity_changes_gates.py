"""Writes into its input."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = chosen.cumsum(dim=0)
    with torch.no_grad():
        gates[chosen & (number > capacity)] = 0
    return gates

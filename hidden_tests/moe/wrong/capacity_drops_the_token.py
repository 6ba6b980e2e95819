"""Drops the token everywhere."""

# %% limit_capacity
def limit_capacity(gates: Tensor, capacity: int) -> Tensor:
    chosen = gates != 0
    number = chosen.cumsum(dim=0)
    return gates * (chosen & (number <= capacity)) * (~chosen | (number <= capacity)).all(dim=-1, keepdim=True)

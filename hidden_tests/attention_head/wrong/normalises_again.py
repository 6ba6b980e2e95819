"""Makes the rows of the weights sum to one."""

# %% attend
def attend(weights: Tensor, v: Tensor) -> Tensor:
    """weights: (..., seq_q, seq_k), v: (..., seq_k, d_v) -> (..., seq_q, d_v)"""
    return weights / weights.sum(dim=-1, keepdim=True) @ v

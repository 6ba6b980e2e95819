"""Runs a softmax over the weights."""

# %% attend
def attend(weights: Tensor, v: Tensor) -> Tensor:
    """weights: (..., seq_q, seq_k), v: (..., seq_k, d_v) -> (..., seq_q, d_v)"""
    return weights.softmax(dim=-1) @ v

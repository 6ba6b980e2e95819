"""Too close by one."""

# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    return apply_rope(torch.eye(d_head), torch.full((d_head,), distance - 1), base)

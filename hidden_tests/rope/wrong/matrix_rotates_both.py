"""Rotates both by the whole distance."""

# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    rotated_q = apply_rope(torch.eye(d_head), torch.full((d_head,), distance), base)
    rotated_k = apply_rope(torch.eye(d_head), torch.full((d_head,), -distance), base)
    return rotated_q @ rotated_k.T

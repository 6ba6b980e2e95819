"""Only the cosines."""

# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    angles = distance * rope_frequencies(d_head, base)
    return torch.diag(torch.cat([angles, angles]).cos())

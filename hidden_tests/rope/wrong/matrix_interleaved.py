"""Two by two blocks along the diagonal."""

# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    angles = distance * rope_frequencies(d_head, base)
    blocks = [torch.stack([torch.stack([a.cos(), a.sin()]), torch.stack([-a.sin(), a.cos()])]) for a in angles]
    return torch.block_diag(*blocks)

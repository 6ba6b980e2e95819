"""Swaps query and key."""

# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    angles = distance * rope_frequencies(d_head, base)
    cos, sin = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])

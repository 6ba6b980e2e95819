"""Builds the rotation matrices and applies them with einsum."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2 == 1:
        raise ValueError("d_head must be even")
    return torch.tensor([base ** (-2 * i / d_head) for i in range(d_head // 2)])


# %% rotate
def rotation(angles: Tensor) -> Tensor:
    cos, sin = torch.diag_embed(angles.cos()), torch.diag_embed(angles.sin())
    return torch.cat([torch.cat([cos, -sin], dim=-1), torch.cat([sin, cos], dim=-1)], dim=-2)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    return torch.einsum("...ij,...j->...i", rotation(angles.float()), x.float()).to(x.dtype)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.size(-1), base).to(x.device)
    return rotate(x, torch.einsum("...s,i->...si", positions.float(), frequencies))


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    angles = rope_frequencies(d_head, base) * distance
    cos, sin = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, sin], dim=1), torch.cat([-sin, cos], dim=1)], dim=0)


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    seq_q, seq_k = q.size(-2), k.size(-2)
    q_positions = torch.arange(seq_k - seq_q, seq_k, device=q.device)
    k_positions = torch.arange(seq_k, device=q.device)
    rotated = apply_rope(q.float(), q_positions, base), apply_rope(k.float(), k_positions, base)
    return (torch.einsum("...id,...jd->...ij", *rotated) * q.size(-1) ** -0.5).to(q.dtype)

"""Looks cos and sin up in a table that grows with the positions; rotates by writing into a new tensor."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    return torch.logspace(0, -(d_head - 2) / d_head, d_head // 2, base=base, dtype=torch.float64).to(torch.float32)


# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    pairs = x.to(torch.float32).unflatten(-1, (2, -1))  # (..., 2, d_head/2)
    a, b = pairs[..., 0, :], pairs[..., 1, :]
    c, s = torch.cos(angles), torch.sin(angles)
    return torch.stack([a * c - b * s, a * s + b * c], dim=-2).flatten(-2).to(x.dtype)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    """Only the rows of the table that are asked for are ever made."""
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device, torch.float32)
    where, index = torch.unique(positions, return_inverse=True)
    table = torch.outer(where.float(), frequencies)
    angles = table[index.reshape(positions.shape)]
    result = torch.empty_like(x)
    half = x.shape[-1] // 2
    first, second = x[..., :half].float(), x[..., half:].float()
    result[..., :half] = (first * angles.cos() - second * angles.sin()).to(x.dtype)
    result[..., half:] = (second * angles.cos() + first * angles.sin()).to(x.dtype)
    return result


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    keys = apply_rope(torch.eye(d_head).unsqueeze(0), torch.tensor([-distance] * d_head), base)
    return keys.squeeze(0).T


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    """Moves every position back by that of the last token, which no score notices."""
    back = -torch.arange(k.shape[-2], device=k.device).flip(0)
    rotated_q = apply_rope(q.float(), back[-q.shape[-2] :], base)
    return torch.matmul(rotated_q, apply_rope(k.float(), back, base).transpose(-2, -1)).div(q.shape[-1] ** 0.5).to(q.dtype)

"""Computes everything in float64."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    i = torch.arange(d_head // 2, dtype=torch.float64)
    return (base ** (-2 * i / d_head)).float()


# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    first, second = torch.tensor_split(x.double(), 2, dim=-1)
    a = angles.double()
    return _joined(first, second, a).to(x.dtype)


def _joined(first: Tensor, second: Tensor, a: Tensor) -> Tensor:
    return torch.cat([first * a.cos() - second * a.sin(), first * a.sin() + second * a.cos()], dim=-1)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    i = torch.arange(x.shape[-1] // 2, dtype=torch.float64, device=x.device)
    angles = positions.double()[..., None] * base ** (-2 * i / x.shape[-1])
    first, second = x.double().chunk(2, dim=-1)
    return _joined(first, second, angles).to(x.dtype)


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    i = torch.arange(d_head // 2, dtype=torch.float64)
    generator = torch.zeros(d_head, d_head, dtype=torch.float64)
    angles = distance * base ** (-2 * i / d_head)
    generator[: d_head // 2, d_head // 2 :] = torch.diag(angles)
    return torch.linalg.matrix_exp(generator - generator.T).float()


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    i = torch.arange(q.shape[-1] // 2, dtype=torch.float64, device=q.device)
    angles = torch.arange(k.shape[-2], device=q.device)[:, None] * base ** (-2 * i / q.shape[-1])
    rotated_k = _joined(*k.double().chunk(2, dim=-1), angles)
    rotated_q = _joined(*q.double().chunk(2, dim=-1), angles[k.shape[-2] - q.shape[-2] :])
    return (rotated_q @ rotated_k.mT / q.shape[-1] ** 0.5).to(q.dtype)

"""A pair is a complex number; turning it is a multiplication."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2 != 0:
        raise ValueError(f"{d_head} is odd")
    return 1.0 / torch.pow(base, torch.arange(0, d_head, 2).float() / d_head)


# %% rotate
def rotate(x: Tensor, angles: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    pairs = torch.complex(x[..., :half].float(), x[..., half:].float())
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], dim=-1).to(x.dtype)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    angles = positions.unsqueeze(-1) * rope_frequencies(x.shape[-1], base).to(positions.device)
    half = x.shape[-1] // 2
    pairs = torch.complex(x[..., :half].float(), x[..., half:].float()) * torch.exp(1j * angles)
    return torch.cat((pairs.real, pairs.imag), -1).type_as(x)


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    identity, zero = torch.eye(d_head)[:, None], torch.tensor([0])
    queries = apply_rope(identity, zero + distance, base)[:, 0]
    keys = apply_rope(identity, zero, base)[:, 0]
    return queries @ keys.T


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    half, angles = q.shape[-1] // 2, torch.arange(k.shape[-2])[:, None] * rope_frequencies(q.shape[-1], base)
    turns = torch.exp(1j * angles).to(q.device)
    queries = torch.complex(q[..., :half].float(), q[..., half:].float()) * turns[-q.shape[-2] :]
    keys = torch.complex(k[..., :half].float(), k[..., half:].float()) * turns
    return ((queries @ keys.mH).real / math.sqrt(q.shape[-1])).to(q.dtype)

"""As in Hugging Face's Llama: x · cos + rotate_half(x) · sin, with cos and sin in the dtype of x."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head & 1:
        raise ValueError("d_head must be even")
    return torch.exp(torch.arange(0, d_head, 2, dtype=torch.float32) * (-math.log(base) / d_head))


# %% rotate
def rotate_half(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return torch.cat((-x[..., half:], x[..., :half]), dim=-1)


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    both = torch.cat((angles, angles), dim=-1)
    return x * both.cos().to(x.dtype) + rotate_half(x) * both.sin().to(x.dtype)


# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    exponents = torch.arange(0, x.shape[-1], 2, device=x.device, dtype=torch.float32)
    angles = positions[..., None].float() * torch.exp(exponents * (-math.log(base) / x.shape[-1]))
    both = torch.cat((angles, angles), dim=-1)
    return x * both.cos().to(x.dtype) + rotate_half(x) * both.sin().to(x.dtype)


# %% score_matrix
def score_matrix(distance: int, d_head: int, base: float = 10000.0) -> Tensor:
    angles = (distance * rope_frequencies(d_head, base)).repeat(2)
    back = -rotate_half(torch.eye(d_head, device=angles.device))
    return torch.diag(angles.cos()) - back * angles.sin()


# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    positions = torch.arange(k.shape[-2], device=k.device)
    rotated_q = apply_rope(q, positions[-q.shape[-2] :], base)
    rotated_k = apply_rope(k, positions, base)
    return (rotated_q.float() / math.sqrt(q.shape[-1]) @ rotated_k.float().transpose(-1, -2)).to(q.dtype)

"""Rotates neighbours, without calling rotate."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    angles = positions[..., None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x.float()[..., 0::2], x.float()[..., 1::2]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2).to(x.dtype)

"""Multiplies by cos only."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    angles = positions[..., None] * frequencies
    return (x.float() * torch.cat([angles, angles], dim=-1).cos()).to(x.dtype)

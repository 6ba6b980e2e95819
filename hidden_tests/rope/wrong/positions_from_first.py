"""Counts on from the first position, for all rows."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    positions = positions.flatten()[0] + torch.arange(x.shape[-2], device=x.device)
    return rotate(x, positions[..., None] * frequencies)

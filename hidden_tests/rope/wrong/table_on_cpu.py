"""Leaves the frequencies on the CPU."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base)
    return rotate(x, positions[..., None] * frequencies)

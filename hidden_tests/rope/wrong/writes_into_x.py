"""Writes the result into x."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    x.data.copy_(rotate(x, positions[..., None] * frequencies).detach())
    return x + 0

"""Counts 0, 1, 2, … whatever the positions are: the offset is lost in decoding."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    positions = torch.arange(x.shape[-2], device=x.device)
    return rotate(x, positions[..., None] * frequencies)

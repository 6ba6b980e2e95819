"""Flattens positions, so rows cannot differ."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    return rotate(x, torch.outer(positions.flatten().float(), frequencies))

"""Looks positions up in a table of 2048 rows."""

# %% apply_rope
def apply_rope(x: Tensor, positions: Tensor, base: float = 10000.0) -> Tensor:
    frequencies = rope_frequencies(x.shape[-1], base).to(x.device)
    table = torch.arange(2048, device=x.device)[:, None] * frequencies
    return rotate(x, table[positions])

"""Spreads the exponents from 0 to 1, ends included."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    return base ** -torch.linspace(0, 1, d_head // 2)

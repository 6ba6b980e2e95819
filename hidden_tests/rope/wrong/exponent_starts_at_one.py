"""Counts pairs from 1, as the paper's formula is often printed."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    return base ** (-2 * torch.arange(1, d_head // 2 + 1) / d_head)

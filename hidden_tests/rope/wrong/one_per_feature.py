"""d_head frequencies, one per feature."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    return base ** -(torch.arange(d_head) / d_head)

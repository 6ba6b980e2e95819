"""Does not look whether d_head is even."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    return base ** -(torch.arange(0, d_head, 2) / d_head)

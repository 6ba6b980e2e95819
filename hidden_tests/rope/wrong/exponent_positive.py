"""Leaves out the minus sign."""

# %% rope_frequencies
def rope_frequencies(d_head: int, base: float = 10000.0) -> Tensor:
    if d_head % 2:
        raise ValueError("d_head must be even")
    return base ** (torch.arange(0, d_head, 2) / d_head)

"""Plain scaled dot products."""

# %% rope_scores
def rope_scores(q: Tensor, k: Tensor, base: float = 10000.0) -> Tensor:
    return (q.float() @ k.float().mT / math.sqrt(q.shape[-1])).to(q.dtype)

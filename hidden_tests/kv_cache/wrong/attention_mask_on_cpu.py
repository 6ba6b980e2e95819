"""Makes the mask on the CPU."""

# %% cached_attention
def cached_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if seq_q > seq_k:
        raise ValueError("more queries than keys")
    scores = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    future = torch.ones(seq_q, seq_k, dtype=torch.bool).triu(seq_k - seq_q + 1)
    weights = scores.masked_fill(future, -math.inf).softmax(dim=-1)
    return (weights @ v.float()).to(q.dtype)

"""Makes the mask where tensors are made by default."""

# %% attention_weights
def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    """q: (..., seq_q, d_head), k: (..., seq_k, d_head) -> (..., seq_q, seq_k)"""
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if causal and seq_q != seq_k:
        raise ValueError("causal attention needs as many queries as keys")
    scores = q.float() @ k.float().mT / math.sqrt(q.shape[-1])
    if causal:
        future = torch.ones(seq_q, seq_k, dtype=torch.bool).triu(diagonal=1)
        scores = scores.masked_fill(future, -math.inf)
    return scores.softmax(dim=-1).to(q.dtype)

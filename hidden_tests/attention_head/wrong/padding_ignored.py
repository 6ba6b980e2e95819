"""Does not use the mask."""

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) -> (batch, seq_q, seq_k)"""
    blocked = is_padding[:, None, :]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    return scores.softmax(dim=-1)

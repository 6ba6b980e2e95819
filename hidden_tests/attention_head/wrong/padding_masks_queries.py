"""Hides the rows of padding queries, not the columns of padding keys."""

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) -> (batch, seq_q, seq_k)"""
    blocked = is_padding[:, :, None]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(blocked, torch.finfo(scores.dtype).min)
    return scores.softmax(dim=-1).masked_fill(blocked, 0.0)

"""Gives padding keys the score -30, which leaves a tiny weight."""

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) -> (batch, seq_q, seq_k)"""
    blocked = is_padding[:, None, :]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(blocked, -30.0)
    empty = is_padding.all(dim=-1)[:, None, None]
    return scores.softmax(dim=-1).masked_fill(empty, 0.0)

"""Adds -inf and replaces nan after the softmax; its gradient stays nan."""

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    """q: (batch, seq_q, d_head), k: (batch, seq_k, d_head), is_padding: (batch, seq_k) -> (batch, seq_q, seq_k)"""
    blocked = is_padding[:, None, :]
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    scores = scores + torch.zeros_like(scores).masked_fill(blocked, -math.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)

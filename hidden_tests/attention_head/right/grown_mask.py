"""Keeps a causal mask as a buffer that grows with the longest text seen, and leaves the softmax to log_softmax."""

# %% by_hand
half, quarter, whole = 1 / 2, 1 / 4, 1.0
hand_weights = torch.stack([torch.tensor(row) for row in ([half, quarter, quarter], [quarter, quarter, half], [quarter, half, quarter])])
hand_causal_weights = torch.zeros(3, 3)
hand_causal_weights[0, :1] = whole
hand_causal_weights[1, :2] = half
hand_causal_weights[2, :3] = hand_weights[2]
hand_output = torch.tensor([4.0, 0, 2, 2, 2, 4]).view(3, 2)

# %% attention_weights
def attention_weights(q, k, causal=False):
    n_queries, d = q.shape[-2:]
    n_keys = k.shape[-2]
    wide = torch.promote_types(q.dtype, torch.float32)
    root = d**0.25  # each side takes half of the scale
    scores = (q.to(wide) / root) @ (k.to(wide) / root).swapaxes(-1, -2)
    if causal:
        if n_queries != n_keys:
            raise ValueError("causal needs a square")
        scores.masked_fill_(~scores.new_ones(n_queries, n_keys).tril().bool(), -torch.inf)
    return scores.log_softmax(-1).exp().to(q.dtype)

# %% attend
def attend(weights, v):
    return (v.mT @ weights.mT).mT

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model, d_head, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.register_buffer("visible", torch.ones(1, 1, dtype=torch.bool), persistent=False)
        self.rate = dropout

    def forward(self, x):
        length = x.size(-2)
        if length > self.visible.size(0):
            self.visible = torch.ones(length, length, dtype=torch.bool, device=x.device).tril()
        q, k = self.query(x), self.key(x)
        scores = q @ k.mT * k.size(-1) ** -0.5
        scores = scores.where(self.visible[:length, :length], -torch.inf)
        weights = nn.functional.dropout(scores.log_softmax(-1).exp(), self.rate, self.training)
        return weights @ self.value(x)

# %% padding
def padded_attention_weights(q, k, is_padding):
    # One key more, which is looked at only where nothing else is left.
    extra = torch.cat([k, k.new_zeros(len(k), 1, k.shape[-1])], dim=1)
    hidden = torch.cat([is_padding, ~is_padding.all(dim=1, keepdim=True)], dim=1)
    scores = q @ extra.mT / math.sqrt(q.shape[-1])
    return scores.masked_fill(hidden[:, None, :], -torch.inf).softmax(-1)[..., :-1]

"""Writes the softmax out: subtract the largest visible score, exp, wipe out what is hidden, divide by the sum."""

# %% by_hand
powers = torch.tensor([[2.0, 1, 1], [2, 2, 4], [1, 2, 1]])
hand_weights = powers / powers.sum(1, keepdim=True)
hand_causal_weights = powers.tril() / powers.tril().sum(1, keepdim=True)
hand_output = (hand_causal_weights[:, :, None] * torch.tensor([[4.0, 0], [0, 4], [4, 8]])).sum(1)

# %% attention_weights
def attention_weights(q, k, causal=False):
    scores = (q.float().unsqueeze(-2) * k.float().unsqueeze(-3)).sum(-1) / math.sqrt(q.shape[-1])
    visible = torch.ones(scores.shape[-2:], device=q.device)
    if causal:
        if visible.shape[0] != visible.shape[1]:
            raise ValueError("not square")
        visible = visible.tril()
    largest = (scores + (1 - visible) * -1e30).amax(dim=-1, keepdim=True).detach()
    exp = torch.exp((scores - largest).clamp(max=0)) * visible
    return (exp / exp.sum(dim=-1, keepdim=True)).to(q.dtype)

# %% attend
def attend(weights, v):
    return (weights.unsqueeze(-1) * v.unsqueeze(-3)).sum(dim=-2)

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model, d_head, dropout=0.0):
        super().__init__()
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.dropout = dropout

    def forward(self, x):
        weights = attention_weights(self.query(x), self.key(x), causal=True)
        if self.training and self.dropout:
            keep = torch.empty_like(weights).bernoulli_(1 - self.dropout)
            weights = weights * keep / (1 - self.dropout)
        return attend(weights, self.value(x))

# %% padding
def padded_attention_weights(q, k, is_padding):
    scores = q @ k.mT / math.sqrt(q.shape[-1])
    visible = (~is_padding).unsqueeze(1).expand_as(scores)
    largest = scores.masked_fill(~visible, -1e30).amax(-1, keepdim=True).detach()
    exp = torch.where(visible, torch.where(visible, scores - largest, 0.0).exp(), 0.0)
    total = exp.sum(-1, keepdim=True)
    return exp / torch.where(total == 0, 1.0, total)

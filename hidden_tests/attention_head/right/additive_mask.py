"""Adds the dtype's lowest number to the scores that must not be seen."""

# %% by_hand
scaled = torch.tensor([[1.0, 0, 0], [1, 1, 2], [0, 1, 0]]) * math.log(2)
hand_weights = scaled.softmax(1)
hand_causal_weights = (scaled + torch.triu(torch.full((3, 3), -math.inf), 1)).softmax(1)
hand_output = hand_causal_weights @ torch.tensor([[4.0, 0], [0, 4], [4, 8]])

# %% attention_weights
def attention_weights(q, k, causal=False):
    dtype = q.dtype
    q, k = q.to(torch.float32), k.to(torch.float32)
    rows, columns = q.shape[-2], k.shape[-2]
    scores = torch.matmul(q, torch.transpose(k, -1, -2)).div(q.shape[-1] ** 0.5)
    if causal:
        if rows != columns:
            raise ValueError(f"{rows} queries, {columns} keys")
        scores = scores + torch.full_like(scores, torch.finfo(scores.dtype).min).triu(1)
    return nn.functional.softmax(scores, dim=-1).to(dtype)

# %% attend
def attend(weights, v):
    return torch.matmul(weights, v)

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model, d_head, dropout=0.0):
        super().__init__()
        linear = dict(in_features=d_model, out_features=d_head, bias=False)
        self.query = nn.Linear(**linear)
        self.key = nn.Linear(**linear)
        self.value = nn.Linear(**linear)
        self.attn_dropout = nn.Dropout(p=dropout)

    def forward(self, x):
        q, k, v = self.query(x), self.key(x), self.value(x)
        length = x.shape[-2]
        scores = q.matmul(k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
        scores = scores + torch.full((length, length), torch.finfo(x.dtype).min, device=x.device).triu(1)
        return self.attn_dropout(scores.softmax(-1)).matmul(v)

# %% padding
def padded_attention_weights(q, k, is_padding):
    keep = (~is_padding).to(q.dtype)[:, None]
    scores = q.matmul(k.transpose(-2, -1)) / math.sqrt(q.shape[-1])
    return (scores * keep + (1 - keep) * torch.finfo(q.dtype).min).softmax(-1) * keep

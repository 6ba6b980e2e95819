"""Writes every product as an einsum, and masks with torch.where."""

# %% by_hand
quarter = 0.25
hand_weights = quarter * torch.tensor([[2, 1, 1], [1, 1, 2], [1, 2, 1]])
hand_causal_weights = quarter * torch.tensor([[4, 0, 0], [2, 2, 0], [1, 2, 1]])
hand_output = torch.einsum("ij,jc->ic", hand_causal_weights, torch.tensor([[4.0, 0], [0, 4], [4, 8]]))

# %% attention_weights
def attention_weights(q, k, causal=False):
    if causal and q.size(-2) != k.size(-2):
        raise ValueError
    scores = torch.einsum("...qd,...kd->...qk", q.float(), k.float()) * q.size(-1) ** -0.5
    if causal:
        seen = torch.tril(torch.ones_like(scores, dtype=torch.bool))
        scores = torch.where(seen, scores, torch.tensor(float("-inf"), device=scores.device))
    return torch.softmax(scores, -1).type_as(q)

# %% attend
def attend(weights, v):
    return torch.einsum("...qk,...kd->...qd", weights, v)

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model, d_head, dropout=0.0):
        super().__init__()
        for name in ("query", "key", "value"):
            self.add_module(name, nn.Linear(d_model, d_head, bias=False))
        self.p = dropout

    def forward(self, x):
        q, k, v = (torch.einsum("...m,hm->...h", x, layer.weight) for layer in (self.query, self.key, self.value))
        weights = nn.functional.dropout(attention_weights(q, k, True), self.p, training=self.training)
        return attend(weights, v)

# %% padding
def padded_attention_weights(q, k, is_padding):
    scores = torch.einsum("bqd,bkd->bqk", q, k) / q.size(-1) ** 0.5
    # masked_fill passes no gradient to what it fills, so the nan of an empty text stays inside.
    return torch.softmax(scores.masked_fill(is_padding.unsqueeze(1), float("-inf")), -1).nan_to_num(0.0)

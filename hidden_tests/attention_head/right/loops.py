"""Goes through the batch, the queries and the texts with Python loops."""

# %% by_hand
key_rows = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
query_rows = [[1, 1, -1, 1], [2, 0, 2, 2], [-1, 1, 1, -1]]


def paper_row(query, visible):
    powers = [2.0 ** (sum(a * b for a, b in zip(query, key)) / 2) for key in key_rows[:visible]]
    return [power / sum(powers) for power in powers] + [0.0] * (3 - visible)


hand_weights = torch.tensor([paper_row(query, 3) for query in query_rows])
hand_causal_weights = torch.tensor([paper_row(query, number + 1) for number, query in enumerate(query_rows)])
hand_output = torch.tensor(
    [[sum(w * v for w, v in zip(row.tolist(), column)) for column in ([4, 0, 4], [0, 4, 8])] for row in hand_causal_weights]
)

# %% attention_weights
def attention_weights(q, k, causal=False):
    if causal and len(q.unbind(-2)) != len(k.unbind(-2)):
        raise ValueError("lengths differ")
    if q.dim() > 2:
        return torch.stack([attention_weights(one_q, one_k, causal) for one_q, one_k in zip(q, k)])
    rows = []
    for i in range(len(q)):
        last = i + 1 if causal else len(k)
        row = [(q[i].float() * k[j].float()).sum() / math.sqrt(q.shape[1]) for j in range(last)]
        seen = torch.softmax(torch.stack(row), 0)
        rows.append(torch.cat([seen, seen.new_zeros(len(k) - last)]))
    return torch.stack(rows).to(q.dtype)

# %% attend
def attend(weights, v):
    total = 0
    for j in range(v.shape[-2]):
        total = total + weights[..., j : j + 1] * v[..., j : j + 1, :]
    return total

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model, d_head, dropout=0.0):
        super().__init__()
        self.query, self.key, self.value = [nn.Linear(d_model, d_head, False) for _ in range(3)]
        self.p = dropout

    def forward(self, x):
        if x.dim() == 3:
            return torch.stack([self(text) for text in x])
        q, k, v = self.query(x), self.key(x), self.value(x)
        outputs = []
        for i in range(len(x)):
            weights = attention_weights(q[i : i + 1], k[: i + 1])
            if self.training and self.p > 0:
                weights = weights * (torch.rand_like(weights) >= self.p) / (1 - self.p)
            outputs.append(attend(weights, v[: i + 1])[0])
        return torch.stack(outputs)

# %% padding
def padded_attention_weights(q, k, is_padding):
    result = []
    for text_q, text_k, padding in zip(q, k, is_padding):
        columns = []
        if not padding.all():
            seen = iter(attention_weights(text_q, text_k[~padding]).unbind(-1))
        for hidden in padding.tolist():
            columns.append(text_q.new_zeros(len(text_q)) if hidden else next(seen))
        result.append(torch.stack(columns, dim=-1))
    return torch.stack(result)

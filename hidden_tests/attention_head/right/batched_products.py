"""Flattens leading axes for baddbmm and bmm, scales q before the product, and owns its projections as plain parameters."""

# %% by_hand
hand_weights = torch.full((3, 3), 0.25)
hand_weights[0, 0] = hand_weights[1, 2] = hand_weights[2, 1] = 0.5
hand_causal_weights = hand_weights.tril()
hand_causal_weights /= hand_causal_weights.sum(dim=1, keepdim=True)
hand_output = torch.mm(hand_causal_weights, torch.tensor([[4.0, 0.0], [0.0, 4.0], [4.0, 8.0]]))

# %% attention_weights
def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    if causal and seq_q != seq_k:
        raise ValueError(f"{seq_q} != {seq_k}")
    flat_q = q.reshape(-1, seq_q, q.shape[-1]).float()
    flat_k = k.reshape(-1, seq_k, k.shape[-1]).float()
    positions = torch.arange(seq_k, device=q.device)
    bias = torch.zeros(seq_q, seq_k, device=q.device)
    if causal:
        bias = bias.masked_fill(positions[None, :] > positions[:, None], torch.finfo(torch.float32).min)
    scores = torch.baddbmm(bias.expand(len(flat_q), -1, -1), flat_q, flat_k.mT, alpha=1 / math.sqrt(q.shape[-1]))
    return scores.softmax(2).to(q.dtype).reshape(*q.shape[:-1], seq_k)

# %% attend
def attend(weights: Tensor, v: Tensor) -> Tensor:
    flat = torch.bmm(weights.flatten(0, -3) if weights.dim() > 2 else weights[None], v.flatten(0, -3) if v.dim() > 2 else v[None])
    return flat.reshape(*weights.shape[:-1], v.shape[-1])

# %% head
class Projection(nn.Module):
    def __init__(self, d_in: int, d_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(d_out, d_in))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T


class AttentionHead(nn.Module):
    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query, self.key, self.value = (Projection(d_model, d_head) for _ in range(3))
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x) / math.sqrt(self.query.weight.shape[0])
        scores = query @ self.key(x).transpose(-1, -2)
        position = torch.arange(x.shape[-2], device=x.device)
        scores = scores.masked_fill(position > position.unsqueeze(1), -1e9)
        return attend(self.drop(scores.softmax(-1)), self.value(x))

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    bias = torch.zeros_like(k[..., 0]).masked_fill(is_padding, torch.finfo(k.dtype).min)
    k = k.masked_fill(is_padding.unsqueeze(-1), 0.0)  # padding scores are 0 before the bias
    weights = torch.baddbmm(bias[:, None, :].expand(-1, q.shape[1], -1), q / math.sqrt(q.shape[2]), k.mT).softmax(-1)
    return weights.masked_fill(is_padding[:, None, :], 0)

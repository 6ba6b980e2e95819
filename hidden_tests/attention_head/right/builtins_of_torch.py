"""Lets F.scaled_dot_product_attention do the work: with the identity for values it returns the weights."""

# %% by_hand
eye = torch.eye(3)
q_paper = torch.tensor([[1.0, 1, -1, 1], [2, 0, 2, 2], [-1, 1, 1, -1]]) * 0.6931471805599453
k_paper = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
hand_weights = nn.functional.scaled_dot_product_attention(q_paper, k_paper, eye)
hand_causal_weights = nn.functional.scaled_dot_product_attention(q_paper, k_paper, eye, is_causal=True)
hand_output = hand_causal_weights.matmul(torch.tensor([[4.0, 0], [0, 4], [4, 8]]))

# %% attention_weights
import torch.nn.functional as F


def attention_weights(q: Tensor, k: Tensor, causal: bool = False) -> Tensor:
    if causal and q.shape[-2] != k.shape[-2]:
        raise ValueError("causal attention is square")
    length = k.shape[-2]
    values = torch.eye(length, device=q.device).expand(*k.shape[:-1], length)
    return F.scaled_dot_product_attention(q.float(), k.float(), values, is_causal=causal).to(q.dtype)

# %% attend
def attend(weights: Tensor, v: Tensor) -> Tensor:
    return nn.functional.linear(weights, v.mT) if v.dim() == 2 else torch.matmul(weights, v)

# %% head
class AttentionHead(nn.Module):
    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.rate = dropout

    def forward(self, x: Tensor) -> Tensor:
        rate = self.rate if self.training else 0.0
        return nn.functional.scaled_dot_product_attention(
            self.query(x), self.key(x), self.value(x), dropout_p=rate, is_causal=True
        )

# %% padding
def padded_attention_weights(q: Tensor, k: Tensor, is_padding: Tensor) -> Tensor:
    batch, length = is_padding.shape
    # Empty texts look at everything, and are multiplied by zero.
    visible = ~is_padding | is_padding.all(dim=1, keepdim=True)
    values = torch.diag_embed((~is_padding).float())
    return nn.functional.scaled_dot_product_attention(q, k, values, attn_mask=visible.view(batch, 1, length))

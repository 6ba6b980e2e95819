"""Rescales in training and once more in eval mode."""

# %% head
class AttentionHead(nn.Module):
    """Causal self-attention with one head: (..., seq, d_model) -> (..., seq, d_head)."""

    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.keep = 1 - dropout

    def forward(self, x: Tensor) -> Tensor:
        weights = attention_weights(self.query(x), self.key(x), causal=True)
        weights = self.dropout(weights) if self.training else weights * self.keep
        return attend(weights, self.value(x))

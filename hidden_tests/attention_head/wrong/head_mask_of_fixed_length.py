"""Registers a mask for sixteen tokens."""

# %% head
class AttentionHead(nn.Module):
    """Causal self-attention with one head: (..., seq, d_model) -> (..., seq, d_head)."""

    def __init__(self, d_model: int, d_head: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.query = nn.Linear(d_model, d_head, bias=False)
        self.key = nn.Linear(d_model, d_head, bias=False)
        self.value = nn.Linear(d_model, d_head, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("future", torch.ones(16, 16, dtype=torch.bool).triu(1))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.query(x) @ self.key(x).mT / math.sqrt(self.query.out_features)
        weights = scores.masked_fill(self.future[: x.shape[-2], : x.shape[-2]], -math.inf).softmax(dim=-1)
        return attend(self.dropout(weights), self.value(x))

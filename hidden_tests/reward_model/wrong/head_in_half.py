"""Casts the result to the dtype of the hidden states."""

# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        rows = torch.arange(len(hidden))
        last = attention_mask.long().sum(dim=1) - 1
        pooled = hidden[rows, last]
        return self.score(pooled.float()).squeeze(-1).to(hidden.dtype)

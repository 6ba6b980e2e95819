"""The mean of the real tokens."""

# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        hidden = hidden.to(self.score.weight.dtype)
        mask = attention_mask.to(hidden.dtype).unsqueeze(-1)
        return self.score((hidden * mask).sum(dim=1) / mask.sum(dim=1)).squeeze(-1)

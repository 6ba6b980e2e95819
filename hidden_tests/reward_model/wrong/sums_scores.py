"""The sum of the scores of all tokens."""

# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        hidden = hidden.to(self.score.weight.dtype)
        return (self.score(hidden).squeeze(-1) * attention_mask).sum(dim=1)

"""The mean of all positions."""

# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        hidden = hidden.to(self.score.weight.dtype)
        return self.score(hidden.mean(dim=1)).squeeze(-1)

"""Trains the head only."""

# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        hidden = hidden.to(self.score.weight.dtype)
        rows = torch.arange(len(hidden))
        last = attention_mask.long().sum(dim=1) - 1
        return self.score(hidden[rows, last].detach()).squeeze(-1)

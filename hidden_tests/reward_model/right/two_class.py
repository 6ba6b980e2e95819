"""A pair as a two-class problem; scores of every token, of which one is kept."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    pairs = {}
    for i, high in enumerate(ratings):
        for j in range(i):
            if ratings[j] != high:
                best, worst = (i, j) if high > ratings[j] else (j, i)
                pairs[best, worst] = (prompt + responses[best], prompt + responses[worst])
    return [pairs[key] for key in sorted(pairs)]


# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(in_features=d_model, out_features=1, bias=False)

    def forward(self, hidden, attention_mask):
        scores = self.score(hidden.to(self.score.weight.dtype)).squeeze(-1)
        positions = torch.arange(hidden.shape[1], device=hidden.device) * attention_mask.long()
        return scores.gather(1, positions.argmax(dim=1, keepdim=True)).squeeze(1)


# %% bradley_terry_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def bradley_terry_loss(chosen, rejected, margin=0.0):
    logits = torch.stack([wide(chosen) - margin, wide(rejected)], dim=-1)
    return F.cross_entropy(logits, torch.zeros_like(chosen, dtype=torch.int64))


# %% margin_ranking_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def margin_ranking_loss(chosen, rejected, margin=1.0):
    return F.relu(wide(rejected) - wide(chosen) + margin).sum() / chosen.numel()


# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    import numpy as np

    lead = (chosen - rejected).cpu().numpy()
    length = np.sign((chosen_lengths - rejected_lengths).cpu().numpy())
    wins = (np.sign(lead) * length)[length != 0]
    return {
        "accuracy": float(np.mean(np.where(lead == 0, 0.5, lead > 0))),
        "mean_margin": float(np.mean(lead)),
        "longer_wins": float(np.mean((wins + 1) / 2)) if wins.size else 0.5,
    }


# %% normalise_scores
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def normalise_scores(scores, reference, eps=1e-6):
    both = wide(torch.cat([reference, scores]))
    both = both - both[: len(reference)].mean()
    return both[len(reference) :] / (both[: len(reference)].pow(2).mean().sqrt() + eps)

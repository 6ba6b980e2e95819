"""torch's own losses and statistics."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    from itertools import permutations

    indices = permutations(range(len(responses)), 2)
    return [(prompt + responses[i], prompt + responses[j]) for i, j in indices if ratings[i] > ratings[j]]


# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        last = attention_mask.sum(dim=1) - 1
        index = last.view(-1, 1, 1).expand(-1, 1, hidden.shape[-1])
        return self.score(hidden.gather(1, index).squeeze(1).float()).flatten()


# %% bradley_terry_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = wide(chosen) - wide(rejected) - margin
    return F.binary_cross_entropy_with_logits(x, torch.ones_like(x))


# %% margin_ranking_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def margin_ranking_loss(chosen, rejected, margin=1.0):
    return F.margin_ranking_loss(wide(chosen), wide(rejected), torch.ones_like(wide(chosen)), margin=margin)


# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    half = torch.tensor(0.5)
    won = torch.heaviside(chosen - rejected, half.to(chosen.device))
    longer = chosen_lengths > rejected_lengths
    unequal = chosen_lengths != rejected_lengths
    by_length = torch.where(longer, won, 1 - won)[unequal]
    return {
        "accuracy": won.mean().item(),
        "mean_margin": (chosen.mean() - rejected.mean()).item(),
        "longer_wins": by_length.mean().item() if unequal.any() else 0.5,
    }


# %% normalise_scores
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def normalise_scores(scores, reference, eps=1e-6):
    std, mean = torch.std_mean(wide(reference), correction=0)
    return (wide(scores) - mean) / (std + eps)

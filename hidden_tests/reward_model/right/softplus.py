"""softplus, masks and weighted sums."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    if not responses:
        return []
    table = torch.tensor(ratings)
    better = (table[:, None] > table[None, :]).nonzero().tolist()
    return [([*prompt, *responses[i]], [*prompt, *responses[j]]) for i, j in better]


# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        real = attention_mask.bool()
        after = torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1)
        pooled = hidden[real & ~after]  # one True in each row
        return (pooled.to(self.score.weight.dtype) @ self.score.weight.mT)[:, 0]


# %% bradley_terry_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def bradley_terry_loss(chosen, rejected, margin=0.0):
    return F.softplus(wide(rejected) - wide(chosen) + margin).sum() / len(chosen)


# %% margin_ranking_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def margin_ranking_loss(chosen, rejected, margin=1.0):
    lead = wide(chosen) - wide(rejected)
    return torch.where(lead < margin, margin - lead, 0.0).mean()


# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    def share(higher, lower):
        return ((higher > lower).float() + (higher >= lower).float()).mean().item() / 2

    first = chosen_lengths > rejected_lengths
    second = chosen_lengths < rejected_lengths
    long = torch.cat([chosen[first], rejected[second]])
    short = torch.cat([rejected[first], chosen[second]])
    return {
        "longer_wins": share(long, short) if len(long) > 0 else 0.5,
        "mean_margin": float((chosen - rejected).mean()),
        "accuracy": share(chosen, rejected),
    }


# %% normalise_scores
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def normalise_scores(scores, reference, eps=1e-6):
    scores, reference = wide(scores), wide(reference)
    centred = reference - reference.mean()
    spread = torch.linalg.vector_norm(centred) / len(reference) ** 0.5
    return (scores - reference.mean()).div(spread + eps)

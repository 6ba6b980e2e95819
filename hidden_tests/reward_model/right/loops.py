"""Plain loops, one pair at a time."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    pairs = []
    for i in range(len(responses)):
        for j in range(len(responses)):
            if ratings[i] > ratings[j]:
                pairs.append((prompt + responses[i], prompt + responses[j]))
    return pairs


# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden, attention_mask):
        scores = []
        for row, mask in zip(hidden, attention_mask):
            place = 0
            while place + 1 < len(mask) and mask[place + 1]:
                place += 1
            scores.append((row[place].to(self.score.weight.dtype) * self.score.weight[0]).sum())
        return torch.stack(scores)


# %% bradley_terry_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def bradley_terry_loss(chosen, rejected, margin=0.0):
    margins = margin if isinstance(margin, Tensor) else [margin] * len(chosen)
    losses = []
    for c, r, m in zip(wide(chosen), wide(rejected), margins):
        x = c - r - m
        losses.append(torch.log1p(torch.exp(-x)) if x > 0 else torch.log1p(torch.exp(x)) - x)
    return sum(losses) / len(losses)


# %% margin_ranking_loss
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def margin_ranking_loss(chosen, rejected, margin=1.0):
    total = 0.0 * wide(chosen).sum()
    for c, r in zip(wide(chosen), wide(rejected)):
        if c - r < margin:
            total = total + margin - (c - r)
    return total / len(chosen)


# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    wins, lead, longer_wins, unequal = 0.0, 0.0, 0.0, 0
    for c, r, lc, lr in zip(chosen.tolist(), rejected.tolist(), chosen_lengths.tolist(), rejected_lengths.tolist()):
        wins += 1 if c > r else 0.5 if c == r else 0
        lead += c - r
        if lc != lr:
            unequal += 1
            longer_wins += 0.5 if c == r else float((c > r) == (lc > lr))
    share = longer_wins / unequal if unequal else 0.5
    return {"accuracy": wins / len(chosen), "mean_margin": lead / len(chosen), "longer_wins": share}


# %% normalise_scores
def wide(x):
    """float32 at least"""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def normalise_scores(scores, reference, eps=1e-6):
    reference = wide(reference)
    mean = sum(reference) / len(reference)
    variance = sum((value - mean) ** 2 for value in reference) / len(reference)
    return torch.stack([(score - mean) / (variance**0.5 + eps) for score in wide(scores)])

"""float64 inside, and outside only if the scores are."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    texts = [list(prompt) + list(response) for response in responses]
    pairs = []
    for chosen, high in zip(texts, ratings):
        pairs.extend((chosen, rejected) for rejected, low in zip(texts, ratings) if low < high)
    return pairs


# %% reward_head
class RewardHead(nn.Module):
    def __init__(self, d_model):
        super().__init__()
        self.add_module("score", nn.Linear(d_model, 1, bias=False))

    def forward(self, hidden, attention_mask):
        last = (attention_mask.cumsum(dim=1) * attention_mask).argmax(dim=1)
        picked = torch.stack([row[place] for row, place in zip(hidden, last)])
        return torch.einsum("bd,od->b", picked.double(), self.score.weight.double()).to(self.score.weight.dtype)


# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.double() - rejected.double() - margin
    loss = torch.logaddexp(torch.zeros_like(x), -x).mean()
    return loss if chosen.dtype == torch.float64 else loss.float()


# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    short = rejected.double() + margin - chosen.double()
    loss = (short * (short > 0)).mean()
    return loss if chosen.dtype == torch.float64 else loss.float()


# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    lead = chosen.double() - rejected.double()
    accuracy = ((lead > 0).sum() + 0.5 * (lead == 0).sum()) / len(lead)
    by_length = lead * (chosen_lengths - rejected_lengths)
    keep = chosen_lengths.ne(rejected_lengths)
    won = (by_length[keep] > 0).sum() + 0.5 * (by_length[keep] == 0).sum()
    return {
        "accuracy": accuracy.item(),
        "mean_margin": lead.mean().item(),
        "longer_wins": (won / keep.sum()).item() if keep.sum() > 0 else 0.5,
    }


# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    reference, wide = reference.double(), scores.double()
    centre, spread = reference.mean(), reference.var(correction=0).sqrt()
    result = (wide - centre) / (spread + eps)
    return result if scores.dtype == torch.float64 else result.float()

"""Preference pairs, a scalar head, ranking losses, sanity checks, normalised scores. Grades `reward_model`.

Conventions: a pair is (chosen, rejected); equal ratings make no pair; scores and losses are float32 at least; losses
are means over the pairs; a tie counts half. After Bradley and Terry (1952), Ouyang et al. (2022) and Llama 2 (2023).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.dtypes import upcast

__all__ = [
    "RewardHead", "bradley_terry_loss", "last_token", "margin_ranking_loss", "normalise_scores", "preference_pairs",
    "reward", "sanity_checks",
]  # fmt: skip

Tokens = list[int]


def preference_pairs(
    prompt: Tokens, responses: Sequence[Tokens], ratings: Sequence[float]
) -> list[tuple[Tokens, Tokens]]:
    """(chosen, rejected) of every two responses with different ratings, each after the prompt; up to K(K − 1)/2 pairs.

    Ordered by the index of the chosen response, then of the rejected one.
    """
    indices = range(len(responses))
    better = [(i, j) for i in indices for j in indices if ratings[i] > ratings[j]]
    return [([*prompt, *responses[i]], [*prompt, *responses[j]]) for i, j in better]


def reward(hidden: Tensor, attention_mask: Tensor, weight: Tensor) -> Tensor:
    """(batch, seq, d_model), (batch, seq), (1, d_model) → (batch,): the last real token's score, in weight's dtype."""
    return last_token(hidden, attention_mask).to(weight.dtype) @ weight[0]


def last_token(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """(batch, seq, d_model), (batch, seq) → (batch, d_model): the hidden state at the last real token."""
    last = attention_mask.long().sum(dim=1) - 1
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), last]


class RewardHead(nn.Module):
    """`reward` with a learned `score.weight`: one linear layer without bias, as it would cancel in comparisons."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.score = nn.Linear(d_model, 1, bias=False)

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        return reward(hidden, attention_mask, self.score.weight)


def bradley_terry_loss(chosen: Tensor, rejected: Tensor, margin: float | Tensor = 0.0) -> Tensor:
    """Mean of −log σ(chosen − rejected − margin); (pairs,), (pairs,) and a number or (pairs,) → ()."""
    return -F.logsigmoid(upcast(chosen) - upcast(rejected) - margin).mean()


def margin_ranking_loss(chosen: Tensor, rejected: Tensor, margin: float = 1.0) -> Tensor:
    """Mean of max(0, margin − (chosen − rejected)); (pairs,) and (pairs,) → ()."""
    return (margin - (upcast(chosen) - upcast(rejected))).clamp_min(0).mean()


def sanity_checks(
    chosen: Tensor, rejected: Tensor, chosen_lengths: Tensor, rejected_lengths: Tensor
) -> dict[str, float]:
    """All (pairs,) -> the share of pairs where chosen scores higher, the mean margin, the share where the longer does.

    A tie counts half. The last share leaves out pairs of equal length, and is a half if no other pair is left.
    """
    difference = upcast(chosen) - upcast(rejected)
    longer = (chosen_lengths - rejected_lengths).sign()
    return {
        "accuracy": _share_positive(difference),
        "mean_margin": difference.mean().item(),
        "longer_wins": _share_positive((difference.sign() * longer)[longer != 0]),
    }


def normalise_scores(scores: Tensor, reference: Tensor, eps: float = 1e-6) -> Tensor:
    """(scores − mean) / (std + eps) with the statistics of `reference`; the variance divides by n."""
    wide = upcast(reference)
    mean = wide.mean()
    std = (wide - mean).square().mean().sqrt()
    return (upcast(scores) - mean) / (std + eps)


def _share_positive(difference: Tensor) -> float:
    if difference.numel() == 0:
        return 0.5
    return ((difference > 0).double() + 0.5 * (difference == 0).double()).mean().item()

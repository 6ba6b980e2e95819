"""Rewards and comparison losses against torch, transformers and TRL, and their invariants."""

from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from reference_impl.alignment.reward_model import (
    RewardHead,
    bradley_terry_loss,
    margin_ranking_loss,
    normalise_scores,
    preference_pairs,
    reward,
    sanity_checks,
)

MASK = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
scores = st.lists(st.tuples(st.integers(-40, 40), st.integers(-40, 40)), min_size=1, max_size=8)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=50)
@given(st.lists(st.integers(-2, 2), max_size=6))
def test_preference_pairs_contains_each_unequal_pair_once(ratings: list[int]) -> None:
    pairs = preference_pairs([7], [[index] for index in range(len(ratings))], ratings)
    indices = [(chosen[1], rejected[1]) for chosen, rejected in pairs]
    assert indices == sorted(set(indices))
    assert all(ratings[i] > ratings[j] for i, j in indices)
    ties = sum(ratings.count(value) * (ratings.count(value) - 1) // 2 for value in set(ratings))
    assert len(indices) == len(ratings) * (len(ratings) - 1) // 2 - ties


@pytest.mark.needs("transformers")
def test_reward_head_matches_transformers() -> None:
    """With a random GPT-2 for sequence classification, which finds the last token by its padding id."""
    import transformers

    config = transformers.GPT2Config(
        vocab_size=20, n_positions=8, n_embd=12, n_layer=1, n_head=2, num_labels=1, pad_token_id=0, bos_token_id=1
    )
    torch.manual_seed(0)
    model = transformers.GPT2ForSequenceClassification(config).eval()
    ids = torch.randint(2, 20, MASK.shape, generator=torch.Generator().manual_seed(0)) * MASK
    with torch.no_grad():
        hidden = model.transformer(ids, attention_mask=MASK)[0]
        theirs = model(ids, attention_mask=MASK).logits.squeeze(-1)
    head = RewardHead(12)
    head.load_state_dict({"score.weight": model.score.weight})
    torch.testing.assert_close(head(hidden, MASK), theirs)
    torch.testing.assert_close(head(hidden, MASK.bool()), theirs)


def test_reward_reads_the_last_unmasked_token_only() -> None:
    hidden = normal(3, 5, 4).requires_grad_()
    reward(hidden, MASK, normal(1, 4, seed=1)).sum().backward()
    used = hidden.grad.abs().sum(dim=-1) > 0
    assert used.nonzero().tolist() == [[0, 2], [1, 0], [2, 4]]
    assert reward(hidden.half(), MASK, torch.ones(1, 4)).dtype == torch.float32


@pytest.mark.needs("trl")
@pytest.mark.parametrize("margin", [0.0, 0.7, normal(6, seed=3).abs()])
def test_bradley_terry_loss_matches_trl(margin: float | torch.Tensor) -> None:
    """TRL's RewardTrainer.compute_loss, with a model that returns these scores."""
    from trl import RewardTrainer

    chosen, rejected = normal(6), normal(6, seed=1)
    trainer = SimpleNamespace(
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(center_rewards_coefficient=None),
        accelerator=SimpleNamespace(gather=lambda x: x, gather_for_metrics=lambda x: x),
        _metrics={"train": defaultdict(list)},
        _total_train_tokens=0,
        _tp_size=1,
    )
    logits = torch.cat([chosen, rejected]).unsqueeze(-1)
    inputs = {"attention_mask": torch.ones(12, 2), "margin": torch.as_tensor(margin)}
    theirs = RewardTrainer.compute_loss(trainer, lambda **_: SimpleNamespace(logits=logits), inputs)
    torch.testing.assert_close(bradley_terry_loss(chosen, rejected, margin), theirs)
    found = sanity_checks(chosen, rejected, torch.ones(6), torch.ones(6))
    assert found["accuracy"] == pytest.approx(trainer._metrics["train"]["accuracy"][0])
    assert found["mean_margin"] == pytest.approx(trainer._metrics["train"]["margin"][0])


def test_bradley_terry_loss_matches_cross_entropy_of_two_classes() -> None:
    chosen, rejected = normal(6), normal(6, seed=1)
    logits = torch.stack([chosen, rejected], dim=1)
    torch.testing.assert_close(bradley_terry_loss(chosen, rejected), F.cross_entropy(logits, torch.zeros(6).long()))


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_margin_ranking_loss_matches_torch(margin: float) -> None:
    chosen, rejected = normal(6), normal(6, seed=1)
    theirs = nn.MarginRankingLoss(margin)(chosen, rejected, torch.ones(6))
    torch.testing.assert_close(margin_ranking_loss(chosen, rejected, margin), theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_comparison_losses_are_finite_for_scores_far_apart(dtype: torch.dtype) -> None:
    """log(sigmoid(x)) underflows below −104, and in float16 the difference itself overflows."""
    far = torch.tensor([3e4, -4e4], dtype=dtype)
    distance = (far[0].float() - far[1].float()).item()
    assert bradley_terry_loss(far[:1], far[1:]) == 0
    assert bradley_terry_loss(far[1:], far[:1]).item() == distance
    assert margin_ranking_loss(far[1:], far[:1]).item() == pytest.approx(distance + 1)
    assert bradley_terry_loss(far, far).dtype == torch.float32


def test_comparison_losses_gradients_match_finite_differences() -> None:
    chosen, rejected = normal(5).requires_grad_(), normal(5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, r: bradley_terry_loss(c, r, 0.3), (chosen, rejected))
    assert torch.autograd.gradcheck(lambda c, r: margin_ranking_loss(c, r, 0.3), (chosen, rejected))
    far = torch.tensor([-1e4], requires_grad=True)
    bradley_terry_loss(far, torch.tensor([1e4])).backward()
    assert far.grad.item() == -1


@settings(max_examples=50)
@given(scores, st.integers(-100, 100))
def test_comparisons_ignore_a_shift_and_mirror_a_swap(pairs: list[tuple[int, int]], shift: int) -> None:
    """A common shift changes nothing; swapping the sides turns accuracy a into 1 − a, ties included."""
    chosen, rejected = torch.tensor(pairs, dtype=torch.float64).T / 4
    torch.testing.assert_close(
        bradley_terry_loss(chosen + shift, rejected + shift), bradley_terry_loss(chosen, rejected)
    )
    torch.testing.assert_close(
        margin_ranking_loss(chosen + shift, rejected + shift), margin_ranking_loss(chosen, rejected)
    )
    lengths = torch.arange(len(pairs)) % 3, torch.arange(len(pairs)) % 2
    found = sanity_checks(chosen, rejected, *lengths)
    swapped = sanity_checks(rejected, chosen, lengths[1], lengths[0])
    assert found["accuracy"] + swapped["accuracy"] == pytest.approx(1)
    assert found["longer_wins"] == pytest.approx(swapped["longer_wins"])
    assert found == pytest.approx(sanity_checks(chosen + shift, rejected + shift, *lengths))


def test_normalise_scores_matches_layer_norm() -> None:
    reference = normal(50) * 3 + 1e4
    own = normalise_scores(reference, reference, 0.0)
    torch.testing.assert_close(own.mean(), torch.zeros((), dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(own.var(correction=0), torch.ones((), dtype=torch.float64))
    layer_norm = F.layer_norm(reference, (50,), eps=0.0)
    torch.testing.assert_close(own, layer_norm)
    assert not normalise_scores(torch.full((3,), 2.0), torch.full((1,), 2.0)).any()

"""The reward model learns to rank, and the best of n is chosen by its rewards."""

import math
from itertools import combinations

import pytest
import torch

from reference_impl.alignment.reward_training import (
    Pair,
    RewardModel,
    best_of_n,
    measure_ranking,
    sample_pairs,
    train_reward_model,
)
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.finetuning.instructions import instructions
from reference_impl.model.language_model import LanguageModel
from reference_impl.tests.tiny import tiny_model
from reference_impl.training.loop import TrainConfig


def test_sample_pairs_prefers_correct_responses(policy: LanguageModel, chat: ChatTokenizer) -> None:
    questions = instructions(10, tasks=["first", "count"])
    pairs = sample_pairs(policy, chat, questions, group=2)
    correct = {tuple(chat.prompt(one.question)): chat.response(one.answer) for one in questions}
    assert {tuple(pair.prompt) for pair in pairs} == set(correct)
    assert all(pair.chosen != pair.rejected != correct[tuple(pair.prompt)] for pair in pairs)
    assert sum(pair.chosen == correct[tuple(pair.prompt)] for pair in pairs) >= 30
    assert pairs == sample_pairs(policy, chat, questions, group=2)


def test_train_reward_model_learns_to_rank(policy: LanguageModel, chat: ChatTokenizer) -> None:
    """The longer response is always chosen, which the position of the last token reveals. The policy is not changed."""
    pairs = [Pair(chat.prompt(q), chat.response("e" * (n + 2)), chat.response("e")) for n in range(8) for q in "abcd"]
    model = RewardModel(policy)
    train_reward_model(model, chat, pairs, TrainConfig(60, 1e-2), batch_size=16)
    metrics = measure_ranking(model, chat, [pair._replace(prompt=chat.prompt("z")) for pair in pairs])
    assert metrics["accuracy"] > 0.9
    assert metrics["longer_wins"] == metrics["accuracy"]
    assert torch.equal(policy.norm.weight, tiny_model().norm.weight)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_best_of_n_averages_over_all_subsets(n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    scores, rewards = torch.rand(3, 5, generator=generator), torch.rand(3, 5, generator=generator)
    best = [
        max(subset, key=lambda index, row=row: rewards[row, index])
        for row in range(3)
        for subset in combinations(range(5), n)
    ]
    rows = torch.arange(3).repeat_interleave(math.comb(5, n))
    assert best_of_n(scores, rewards, n) == pytest.approx(scores[rows, best].mean().item())


def test_reward_model_score_ignores_padding(policy: LanguageModel, chat: ChatTokenizer) -> None:
    model = RewardModel(policy)
    responses = [chat.response("e"), chat.response("eeeeee")]
    together = model.score([[1, 2]] * 2, responses, chat.pad)
    alone = [model.score([[1, 2]], [response], chat.pad)[0] for response in responses]
    torch.testing.assert_close(together, torch.stack(alone))

"""DPO, GRPO, PPO and the reward model on a small language model: each learns and changes nothing else."""

import copy
import math
from itertools import combinations

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import loops
from reference_impl.alignment.grpo import kl_estimate, masked_mean, token_logprobs
from reference_impl.alignment.loops import (
    ValueModel,
    collate_preferences,
    kl_divergence,
    sample_rollout,
    train_dpo,
    train_grpo,
    train_ppo,
)
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
from reference_impl.tests.tiny import byte_chat, tiny_model
from reference_impl.training.trainer import Recipe

QUESTIONS = ["a", "bc", "de", "f"]


@pytest.fixture
def chat() -> ChatTokenizer:
    return byte_chat()


@pytest.fixture
def policy() -> LanguageModel:
    return tiny_model()


def reward_share_of_e(prompts: list[list[int]], responses: list[list[int]]) -> Tensor:
    return torch.tensor([response.count(ord("e")) / len(response) for response in responses])


def test_sample_rollout_returns_prompts_with_masked_responses(policy: LanguageModel, chat: ChatTokenizer) -> None:
    generator = torch.Generator().manual_seed(0)
    rollout = sample_rollout(policy, chat, QUESTIONS, group=3, max_new_tokens=5, generator=generator)
    assert len(rollout.responses) == len(rollout.prompts) == 12
    for index, (tokens, mask) in enumerate(zip(rollout.tokens, rollout.mask, strict=True)):
        assert rollout.prompts[index] == chat.prompt(QUESTIONS[index // 3])
        assert tokens[mask].tolist() == rollout.responses[index]
        length = len(rollout.prompts[index])
        assert tokens[:length].tolist() == rollout.prompts[index]
        assert not mask[:length].any()


def test_kl_divergence_matches_its_estimate(policy: LanguageModel, chat: ChatTokenizer) -> None:
    """The estimate averages log ratios of sampled tokens. From a model to itself the divergence is zero."""
    other = tiny_model(seed=1)
    for parameter in other.parameters():
        parameter.data *= 3
    generator = torch.Generator().manual_seed(0)
    rollout = sample_rollout(policy, chat, ["a"], group=1000, max_new_tokens=2, generator=generator)
    with torch.no_grad():
        logprobs, other_logprobs = (token_logprobs(model, rollout.tokens) for model in (policy, other))
    estimate = masked_mean(kl_estimate(logprobs, other_logprobs), rollout.mask[:, 1:]).item()
    exact = kl_divergence(policy, other, rollout.tokens, rollout.mask)
    assert exact == pytest.approx(estimate, rel=0.2)
    assert exact > 0.005
    assert kl_divergence(policy, policy, rollout.tokens, rollout.mask) == pytest.approx(0, abs=1e-7)


def test_train_dpo_prefers_the_chosen_and_keeps_the_reference(policy: LanguageModel, chat: ChatTokenizer) -> None:
    reference = copy.deepcopy(policy)
    before = {name: value.clone() for name, value in reference.state_dict().items()}
    pairs = [Pair(chat.prompt(question), chat.response("e"), chat.response("xyz")) for question in QUESTIONS]
    batch = collate_preferences(pairs, chat.pad, torch.device("cpu"))
    assert batch["chosen_mask"].sum() == 4 * len(chat.response("e"))
    train_dpo(policy, reference, [batch] * 24, learning_rate=5e-3)
    margins = []
    for model in (reference, policy):
        with torch.no_grad():
            chosen, rejected = (
                (token_logprobs(model, batch[side]) * batch[f"{side}_mask"][:, 1:]).sum() / 4
                for side in ("chosen", "rejected")
            )
        margins.append((chosen - rejected).item())
    assert margins[1] > margins[0] + 5
    assert all(torch.equal(value, before[name]) for name, value in reference.state_dict().items())


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_train_grpo_and_ppo_raise_the_reward(policy: LanguageModel, chat: ChatTokenizer, method: str) -> None:
    reference = copy.deepcopy(policy)
    generator = torch.Generator().manual_seed(0)
    options = {"max_new_tokens": 6, "learning_rate": 1e-2, "generator": generator}
    if method == "grpo":
        train_grpo(policy, reference, chat, [QUESTIONS] * 30, reward_share_of_e, group=16, **options)
    else:
        critic = ValueModel(copy.deepcopy(policy))
        train_ppo(policy, reference, critic, chat, [QUESTIONS * 16] * 20, reward_share_of_e, **options)
    # A new generator, because the state of the other one depends on the sampled lengths, and so on rounding.
    rollouts = [
        sample_rollout(model, chat, QUESTIONS, 32, 6, generator=torch.Generator().manual_seed(1))
        for model in (reference, policy)
    ]
    before, after = (reward_share_of_e(one.prompts, one.responses).mean().item() for one in rollouts)
    assert 0 < before < 0.02
    assert after > 8 * before
    assert math.isfinite(kl_divergence(policy, reference, rollouts[1].tokens, rollouts[1].mask))


def test_train_grpo_ignores_groups_with_equal_rewards(policy: LanguageModel, chat: ChatTokenizer) -> None:
    before = copy.deepcopy(policy.state_dict())
    reference = copy.deepcopy(policy)
    train_grpo(policy, reference, chat, [QUESTIONS] * 2, lambda prompts, _: torch.ones(len(prompts)), group=3)
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())


def test_deduplicated_computes_equal_sequences_once(policy: LanguageModel) -> None:
    """With the same logits and gradients."""
    tokens = torch.tensor([[5, 1, 2], [7, 1, 2], [5, 1, 2], [5, 1, 2]])
    policy = policy.double()
    weights = torch.randn(4, 3, 259, generator=torch.Generator().manual_seed(0)).double()
    batch_sizes: list[int] = []
    policy.embedding.register_forward_hook(lambda module, inputs, output: batch_sizes.append(len(inputs[0])))
    results = []
    for model in (policy, loops._Deduplicated(policy)):
        policy.zero_grad()
        logits = model(tokens)
        (logits * weights).sum().backward()
        results.append([logits, *(parameter.grad for parameter in policy.parameters())])
    torch.testing.assert_close(results[1], results[0])
    assert batch_sizes == [4, 2]


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
    train_reward_model(model, chat, pairs, Recipe(60, 1e-2), batch_size=16)
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

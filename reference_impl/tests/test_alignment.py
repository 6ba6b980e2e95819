"""DPO, GRPO and PPO on a real model: they move the policy to what is rewarded, and only the policy."""

import copy
import math

import pytest
import torch
from torch import Tensor

from reference_impl import alignment
from reference_impl.alignment import ValueModel, dpo, grpo, kl_divergence, ppo, preference_batch, rollout
from reference_impl.chat import ChatTokenizer
from reference_impl.grpo import kl_estimate, masked_mean, token_logprobs
from reference_impl.instructions import instructions
from reference_impl.model import LanguageModel
from reference_impl.reward_model import Pair, RewardModel, ranking, rated_pairs, train_reward_model
from reference_impl.tests.tiny import byte_chat, tiny_model
from reference_impl.trainer import Recipe

QUESTIONS = ["a", "bc", "de", "f"]


@pytest.fixture
def chat() -> ChatTokenizer:
    return byte_chat()


@pytest.fixture
def policy() -> LanguageModel:
    return tiny_model()


def share_of_e(prompts: list[list[int]], responses: list[list[int]]) -> Tensor:
    return torch.tensor([response.count(ord("e")) / len(response) for response in responses])


def test_a_rollout_is_the_prompts_and_what_follows(policy: LanguageModel, chat: ChatTokenizer) -> None:
    drawn = rollout(policy, chat, QUESTIONS, group=3, max_new_tokens=5, generator=torch.Generator().manual_seed(0))
    assert len(drawn.responses) == len(drawn.prompts) == 12
    for number, (tokens, mask) in enumerate(zip(drawn.tokens, drawn.mask, strict=True)):
        assert drawn.prompts[number] == chat.prompt(QUESTIONS[number // 3])
        assert tokens[mask].tolist() == drawn.responses[number]
        kept = len(drawn.prompts[number])
        assert tokens[:kept].tolist() == drawn.prompts[number]
        assert not mask[:kept].any()


def test_kl_is_zero_to_itself_and_what_its_estimate_estimates(policy: LanguageModel, chat: ChatTokenizer) -> None:
    other = tiny_model(seed=1)
    for parameter in other.parameters():
        parameter.data *= 3
    generator = torch.Generator().manual_seed(0)
    drawn = rollout(policy, chat, ["a"], group=1000, max_new_tokens=2, generator=generator)
    with torch.no_grad():
        logprobs, theirs = (token_logprobs(model, drawn.tokens) for model in (policy, other))
    estimate = masked_mean(kl_estimate(logprobs, theirs), drawn.mask[:, 1:]).item()
    exact = kl_divergence(policy, other, drawn.tokens, drawn.mask)
    assert exact == pytest.approx(estimate, rel=0.2)
    assert exact > 0.005
    assert kl_divergence(policy, policy, drawn.tokens, drawn.mask) == pytest.approx(0, abs=1e-7)


def test_dpo_prefers_the_chosen_and_leaves_the_reference(policy: LanguageModel, chat: ChatTokenizer) -> None:
    reference = copy.deepcopy(policy)
    before = {name: value.clone() for name, value in reference.state_dict().items()}
    pairs = [Pair(chat.prompt(question), chat.response("e"), chat.response("xyz")) for question in QUESTIONS]
    batch = preference_batch(pairs, chat.pad, torch.device("cpu"))
    assert batch["chosen_mask"].sum() == 4 * len(chat.response("e"))
    dpo(policy, reference, [batch] * 24, learning_rate=5e-3)
    margins = []
    for model in (reference, policy):
        with torch.no_grad():
            sums = [
                (token_logprobs(model, batch[side]) * batch[f"{side}_mask"][:, 1:]).sum() / 4
                for side in ("chosen", "rejected")
            ]
        margins.append((sums[0] - sums[1]).item())
    assert margins[1] > margins[0] + 5
    assert all(torch.equal(value, before[name]) for name, value in reference.state_dict().items())


@pytest.mark.parametrize("method", ["grpo", "ppo"])
def test_the_reward_rises(policy: LanguageModel, chat: ChatTokenizer, method: str) -> None:
    reference = copy.deepcopy(policy)
    generator = torch.Generator().manual_seed(0)
    shared = {"max_new_tokens": 6, "learning_rate": 1e-2, "generator": generator}
    if method == "grpo":
        grpo(policy, reference, chat, [QUESTIONS] * 30, share_of_e, group=16, **shared)
    else:
        critic = ValueModel(copy.deepcopy(policy))
        ppo(policy, reference, critic, chat, [QUESTIONS * 16] * 20, share_of_e, **shared)
    # Measured with numbers of its own: what training used up depends on the texts, and so on the processor's rounding.
    drawn = [
        rollout(model, chat, QUESTIONS, 32, 6, generator=torch.Generator().manual_seed(1))
        for model in (reference, policy)
    ]
    before, after = (share_of_e(one.prompts, one.responses).mean().item() for one in drawn)
    assert 0 < before < 0.02
    assert after > 8 * before
    assert math.isfinite(kl_divergence(policy, reference, drawn[1].tokens, drawn[1].mask))


def test_grpo_learns_nothing_from_groups_that_agree(policy: LanguageModel, chat: ChatTokenizer) -> None:
    before = copy.deepcopy(policy.state_dict())
    grpo(policy, copy.deepcopy(policy), chat, [QUESTIONS] * 2, lambda prompts, _: torch.ones(len(prompts)), group=3)
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())


def test_texts_that_are_equal_are_read_once(policy: LanguageModel) -> None:
    tokens = torch.tensor([[5, 1, 2], [7, 1, 2], [5, 1, 2], [5, 1, 2]])
    policy = policy.double()
    weights = torch.randn(4, 3, 259, generator=torch.Generator().manual_seed(0)).double()
    read: list[int] = []
    policy.embedding.register_forward_hook(lambda module, inputs, output: read.append(len(inputs[0])))
    found = []
    for model in (policy, alignment._ReadingOnce(policy)):
        policy.zero_grad()
        logits = model(tokens)
        (logits * weights).sum().backward()
        found.append([logits, *(parameter.grad for parameter in policy.parameters())])
    torch.testing.assert_close(found[1], found[0])
    assert read == [4, 2]


def test_rated_pairs_are_ranked_by_their_rule(policy: LanguageModel, chat: ChatTokenizer) -> None:
    asked = instructions(10, tasks=["first", "count"])
    pairs = rated_pairs(policy, chat, asked, group=2)
    right = {tuple(chat.prompt(one.question)): chat.response(one.answer) for one in asked}
    assert {tuple(pair.prompt) for pair in pairs} == set(right)
    assert all(pair.chosen != pair.rejected != right[tuple(pair.prompt)] for pair in pairs)
    assert sum(pair.chosen == right[tuple(pair.prompt)] for pair in pairs) >= 30
    assert pairs == rated_pairs(policy, chat, asked, group=2)


def test_a_reward_model_learns_to_rank(policy: LanguageModel, chat: ChatTokenizer) -> None:
    """The longer one is chosen: a rule that the last token's position gives away."""
    pairs = [Pair(chat.prompt(q), chat.response("e" * (n + 2)), chat.response("e")) for n in range(8) for q in "abcd"]
    model = RewardModel(policy)
    train_reward_model(model, chat, pairs, Recipe(60, 1e-2), batch_size=16)
    found = ranking(model, chat, [pair._replace(prompt=chat.prompt("z")) for pair in pairs])
    assert found["accuracy"] > 0.9
    assert found["longer_wins"] == found["accuracy"]
    assert torch.equal(policy.norm.weight, tiny_model().norm.weight)


def test_the_judge_sees_no_padding(policy: LanguageModel, chat: ChatTokenizer) -> None:
    model = RewardModel(policy)
    texts = [chat.response("e"), chat.response("eeeeee")]
    together = model.judge([[1, 2]] * 2, texts, chat.pad)
    alone = [model.judge([[1, 2]], [text], chat.pad)[0] for text in texts]
    torch.testing.assert_close(together, torch.stack(alone))

"""GRPO and PPO raise the reward, change nothing but the policy, and continue after an interruption."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reference_impl.alignment import grpo_training
from reference_impl.alignment.grpo_training import GRPOTrainer
from reference_impl.alignment.policy_training import PolicyTrainer, QuestionBatches, RolloutConfig
from reference_impl.alignment.ppo_training import PPOTrainer, ValueModel
from reference_impl.alignment.rollouts import RewardFn, kl_divergence, sample_rollout
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.loop import TrainConfig

QUESTIONS = ["a", "bc", "de", "f"]
METHODS = ["grpo", "ppo"]


def reward_share_of_e(prompts: list[list[int]], responses: list[list[int]]) -> Tensor:
    return torch.tensor([response.count(ord("e")) / len(response) for response in responses])


def make_trainer(
    method: str,
    policy: LanguageModel,
    chat: ChatTokenizer,
    steps: int,
    *,
    group: int = 16,
    reward_fn: RewardFn = reward_share_of_e,
    folder: Path | None = None,
) -> PolicyTrainer:
    """PPO has one response to each question, so it gets each question `group` times."""
    reference = copy.deepcopy(policy)
    config = TrainConfig(steps, 1e-2, final_learning_rate=1e-2, weight_decay=0.0, checkpoint_every=2)
    rollouts = RolloutConfig(len(QUESTIONS), group, max_new_tokens=6)
    generator = torch.Generator().manual_seed(0)
    if method == "grpo":
        return GRPOTrainer(policy, reference, chat, QUESTIONS, reward_fn, config, rollouts, generator, folder=folder)
    critic, rollouts = ValueModel(copy.deepcopy(policy)), RolloutConfig(len(QUESTIONS) * group, max_new_tokens=6)
    return PPOTrainer(policy, critic, reference, chat, QUESTIONS, reward_fn, config, rollouts, generator, folder=folder)


@pytest.mark.parametrize("method", METHODS)
def test_policy_trainer_raises_the_reward(policy: LanguageModel, chat: ChatTokenizer, method: str) -> None:
    trainer = make_trainer(method, policy, chat, 30 if method == "grpo" else 20)
    before = {name: value.clone() for name, value in trainer.reference.state_dict().items()}
    trainer.run()
    # A new generator, because the state of the other one depends on the sampled lengths, and so on rounding.
    rollouts = [
        sample_rollout(model, chat, QUESTIONS, 32, 6, generator=torch.Generator().manual_seed(1))
        for model in (trainer.reference, policy)
    ]
    untrained, trained = (reward_share_of_e(one.prompts, one.responses).mean().item() for one in rollouts)
    assert 0 < untrained < 0.02
    assert trained > 8 * untrained
    assert math.isfinite(kl_divergence(policy, trainer.reference, rollouts[1].tokens, rollouts[1].mask))
    assert all(torch.equal(value, before[name]) for name, value in trainer.reference.state_dict().items())


@pytest.mark.parametrize("method", METHODS)
def test_policy_trainer_resumed_run_is_bit_identical(
    policy: LanguageModel, chat: ChatTokenizer, method: str, tmp_path: Path
) -> None:
    """It asks the same questions and samples the same responses; the last checkpoint is written at step 2."""
    whole = make_trainer(method, copy.deepcopy(policy), chat, 4, group=2)
    history = whole.run()

    def stop_at_step_4(prompts: list[list[int]], responses: list[list[int]]) -> Tensor:
        if interrupted.step == 3:
            raise KeyboardInterrupt
        return reward_share_of_e(prompts, responses)

    interrupted = make_trainer(
        method, copy.deepcopy(policy), chat, 4, group=2, reward_fn=stop_at_step_4, folder=tmp_path
    )
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    resumed = make_trainer(method, copy.deepcopy(policy), chat, 4, group=2, folder=tmp_path)
    assert resumed.resume()
    assert resumed.step == 2
    assert resumed.run() == history
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_grpo_trainer_ignores_groups_with_equal_rewards(policy: LanguageModel, chat: ChatTokenizer) -> None:
    before = copy.deepcopy(policy.state_dict())
    make_trainer("grpo", policy, chat, 2, group=3, reward_fn=lambda prompts, _: torch.ones(len(prompts))).run()
    assert all(torch.equal(value, before[name]) for name, value in policy.state_dict().items())


def test_question_batches_start_again_from_the_first() -> None:
    batches = QuestionBatches(["a", "b", "c"], 2)
    assert [next(batches) for _ in range(3)] == [["a", "b"], ["c", "a"], ["b", "c"]]
    resumed = QuestionBatches(["a", "b", "c"], 2)
    resumed.load_state_dict(batches.state_dict())
    assert next(resumed) == ["a", "b"]


def test_deduplicated_computes_equal_sequences_once(policy: LanguageModel) -> None:
    """With the same logits and gradients."""
    tokens = torch.tensor([[5, 1, 2], [7, 1, 2], [5, 1, 2], [5, 1, 2]])
    policy = policy.double()
    weights = torch.randn(4, 3, 259, generator=torch.Generator().manual_seed(0)).double()
    batch_sizes: list[int] = []
    policy.embedding.register_forward_hook(lambda module, inputs, output: batch_sizes.append(len(inputs[0])))
    results = []
    for model in (policy, grpo_training._Deduplicated(policy)):
        policy.zero_grad()
        logits = model(tokens)
        (logits * weights).sum().backward()
        results.append([logits, *(parameter.grad for parameter in policy.parameters())])
    torch.testing.assert_close(results[1], results[0])
    assert batch_sizes == [4, 2]

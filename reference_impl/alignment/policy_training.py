"""Training on the policy's own samples, which GRPO and PPO share: questions in, rewarded responses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reference_impl.alignment.rollouts import RewardFn, Rollout, sample_rollout
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.loop import TrainConfig, TrainingLoop

__all__ = ["PolicyTrainer", "RolloutConfig"]


@dataclass(frozen=True)
class RolloutConfig:
    """What a step samples, and how far it may move the policy."""

    n_questions: int
    group: int = 1
    """responses to each question"""
    epochs: int = 2
    """updates on each rollout"""
    beta: float = 0.04
    """the weight of the divergence from the reference"""
    max_new_tokens: int = 16


class QuestionBatches:
    """An endless iterator over the questions in their order, `size` at a time; after the last follows the first."""

    def __init__(self, questions: Sequence[str], size: int) -> None:
        self.questions, self.size, self.index = questions, size, 0

    def __next__(self) -> list[str]:
        indices = range(self.index, self.index + self.size)
        self.index += self.size
        return [self.questions[index % len(self.questions)] for index in indices]

    def state_dict(self) -> dict[str, int]:
        return {"index": self.index}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.index = state["index"]


class PolicyTrainer(TrainingLoop):
    """Each step samples responses to the next questions and updates the weights with them; `reference` stays as it is.

    `trained` contains all weights to train: the policy's, and those of a critic if there is one. `generator` decides
    what is sampled; its state is part of a checkpoint.
    """

    dropout = False  # the policy is compared with what it was when it sampled

    def __init__(
        self,
        policy: LanguageModel,
        reference: LanguageModel,
        tokenizer: ChatTokenizer,
        questions: Sequence[str],
        reward_fn: RewardFn,
        config: TrainConfig,
        rollouts: RolloutConfig,
        generator: torch.Generator,
        *,
        trained: nn.Module | None = None,
        folder: Path | None = None,
        description: str = "alignment",
    ) -> None:
        batches = QuestionBatches(questions, rollouts.n_questions)
        super().__init__(trained or policy, batches, config, folder=folder, description=description)
        self.policy, self.reference, self.tokenizer, self.reward_fn = policy, reference, tokenizer, reward_fn
        self.rollouts, self.generator = rollouts, generator

    def sample(self) -> tuple[Rollout, torch.Tensor]:
        """Responses to the next questions, and (questions, group): their rewards."""
        questions, group, length = self.next_batch(), self.rollouts.group, self.rollouts.max_new_tokens
        rollout = sample_rollout(self.policy, self.tokenizer, questions, group, length, generator=self.generator)
        rewards = self.reward_fn(rollout.prompts, rollout.responses)
        return rollout, rewards.view(-1, group)  # (questions, group)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.generator.set_state(state["generator"])

"""Training with PPO: one response to each question, and a critic that estimates what each token was worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from reference_impl.alignment.grpo import clipped_surrogate, masked_mean, token_logprobs
from reference_impl.alignment.policy_training import PolicyTrainer, RolloutConfig
from reference_impl.alignment.ppo import gae, penalised_rewards, value_loss
from reference_impl.alignment.rollouts import RewardFn
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.loop import Metrics, TrainConfig

__all__ = ["PPOTrainer", "ValueModel"]


class ValueModel(nn.Module):
    """The critic: (batch, seq) of ids -> (batch, seq), the expected return at each token."""

    def __init__(self, body: LanguageModel) -> None:
        super().__init__()
        self.body = body
        self.value = nn.Linear(body.config.d_model, 1, device=body.unembed.weight.device)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.value(self.body.hidden(tokens)).squeeze(-1)


class PPOTrainer(PolicyTrainer):
    """Trains both policy and critic. Ouyang et al. (2022), section 3.5, without their pretraining term.

    The value that belongs to a token is the critic's output at the token before, where the policy chose it.
    """

    def __init__(
        self,
        policy: LanguageModel,
        critic: ValueModel,
        reference: LanguageModel,
        tokenizer: ChatTokenizer,
        questions: Sequence[str],
        reward_fn: RewardFn,
        config: TrainConfig,
        rollouts: RolloutConfig,
        generator: torch.Generator,
        *,
        folder: Path | None = None,
    ) -> None:
        super().__init__(
            policy, reference, tokenizer, questions, reward_fn, config, rollouts, generator,
            trained=nn.ModuleList([policy, critic]), folder=folder, description="PPO",
        )  # fmt: skip
        self.critic = critic

    def update(self) -> Metrics:
        rollout, scores = self.sample()
        mask = rollout.mask[:, 1:]
        with torch.no_grad():
            old_logprobs = token_logprobs(self.policy, rollout.tokens)
            reference_logprobs = token_logprobs(self.reference, rollout.tokens)
            old_values = self.critic(rollout.tokens)[:, :-1].masked_fill(~mask, 0.0)
        rewards = penalised_rewards(scores.flatten(), old_logprobs, reference_logprobs, mask, self.rollouts.beta)
        advantages = gae(rewards, old_values)
        returns, whitened = advantages + old_values, _whiten(advantages, mask)
        for _ in range(self.rollouts.epochs):
            surrogate = _token_surrogate(token_logprobs(self.policy, rollout.tokens), old_logprobs, whitened)
            values = self.critic(rollout.tokens)[:, :-1]
            loss = masked_mean(surrogate + 0.5 * value_loss(values, old_values, returns), mask)
            loss.backward()
            norm = self.descend()
        return {"reward": scores.mean(), "loss": loss.detach(), "gradient_norm": norm}


def _token_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor) -> Tensor:
    """(responses, seq) each -> (responses, seq). `clipped_surrogate` takes one advantage per response, so each token is
    passed as a response."""
    flat = clipped_surrogate(logprobs.reshape(-1, 1), old_logprobs.reshape(-1, 1), advantages.flatten())
    return flat.view_as(logprobs)  # (responses, seq)


def _whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """(responses, seq) -> (responses, seq): mean 0 and variance 1 over the unmasked tokens."""
    mean = masked_mean(advantages, mask)
    variance = masked_mean((advantages - mean).square(), mask)
    return (advantages - mean) / (variance + 1e-8).sqrt()

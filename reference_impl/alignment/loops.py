"""Alignment of a language model: sampling from the policy, and the training loops of DPO, GRPO and PPO.

The losses are those of `dpo`, `grpo` and `ppo`. Each loop trains the policy in place and does not change the reference;
`kl_divergence` measures how far apart they are afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from reference_impl.alignment.dpo import dpo_loss, implicit_rewards, preference_accuracy, sequence_logprobs
from reference_impl.alignment.grpo import clipped_surrogate, grpo_update, masked_mean, token_logprobs
from reference_impl.alignment.ppo import gae, penalised_rewards, value_loss
from reference_impl.finetuning.chat import ChatTokenizer, pad_responses, respond
from reference_impl.model.language_model import LanguageModel
from reference_impl.training.optimizer import adamw, warmup_cosine
from reference_impl.training.progress import bar, curves

__all__ = [
    "RewardFn", "Rollout", "ValueModel", "collate_preferences", "kl_divergence", "sample_rollout", "train_dpo",
    "train_grpo", "train_ppo",
]  # fmt: skip

RewardFn = Callable[[Sequence[Sequence[int]], Sequence[Sequence[int]]], Tensor]
"""prompts and responses, as ids -> (responses,): their rewards"""

Batch = TypeVar("Batch")
SIDES = ("chosen", "rejected")


class Rollout(NamedTuple):
    """Prompts with responses of the policy; responses to the same prompt are adjacent."""

    prompts: list[list[int]]
    responses: list[list[int]]
    tokens: Tensor
    """(responses, seq): each prompt with its response, padded on the right"""
    mask: Tensor
    """(responses, seq) of bool: True at the tokens of the response"""


def sample_rollout(
    policy: LanguageModel,
    tokenizer: ChatTokenizer,
    questions: Sequence[str],
    group: int = 1,
    max_new_tokens: int = 16,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Rollout:
    """Samples `group` responses to each question from the policy."""
    prompts = [tokenizer.prompt(question) for question in questions for _ in range(group)]
    responses = respond(policy, tokenizer, prompts, max_new_tokens, temperature, generator)
    sequences = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    tokens, mask = pad_responses(sequences, [len(prompt) for prompt in prompts], tokenizer.pad)
    device = policy.unembed.weight.device
    return Rollout(prompts, responses, tokens.to(device), mask.to(device))


@torch.no_grad()
def kl_divergence(policy: nn.Module, reference: nn.Module, tokens: Tensor, mask: Tensor) -> float:
    """tokens, mask: (responses, seq) -> KL(policy ‖ reference) in nats, averaged over the unmasked tokens.

    Exact at each token: a sum over the vocabulary, not an estimate from the sampled token as in training.
    """
    log_p = policy(tokens)[:, :-1].log_softmax(dim=-1)  # (responses, seq - 1, vocab)
    log_q = reference(tokens)[:, :-1].log_softmax(dim=-1)
    return masked_mean((log_p.exp() * (log_p - log_q)).sum(dim=-1), mask[:, 1:]).item()


def collate_preferences(
    pairs: Sequence[tuple[list[int], list[int], list[int]]], pad: int, device: torch.device
) -> dict[str, Tensor]:
    """(prompt, chosen, rejected) of each pair -> the batch of `dpo.dpo_step`: both sides with their masks."""
    batch = {}
    for index, side in enumerate(SIDES, start=1):
        sequences = [[*pair[0], *pair[index]] for pair in pairs]
        tokens, mask = pad_responses(sequences, [len(pair[0]) for pair in pairs], pad)
        batch |= {side: tokens.to(device), f"{side}_mask": mask.to(device)}
    return batch


def train_dpo(
    policy: LanguageModel,
    reference: LanguageModel,
    batches: Sequence[dict[str, Tensor]],
    learning_rate: float = 1e-4,
    beta: float = 0.1,
    nll_weight: float = 0.0,
    folder: Path | None = None,
) -> None:
    """One step on each batch of `collate_preferences`; nothing is sampled during training.

    The learning rate warms up for a tenth of the steps and then follows half a cosine to 0, so that the last batches do
    not dominate. DPO only raises the difference between the responses, and often both become less likely. To prevent
    that, `nll_weight` adds the mean −log p of the chosen tokens (Pang et al., 2024, equation 1; Llama 3, 2024, section
    4.1.4).
    """
    optimizer = adamw(policy, learning_rate, weight_decay=0.0)
    policy.eval()
    for step, (batch, report) in enumerate(_track_steps("DPO", batches, folder)):
        _set_learning_rate(optimizer, learning_rate, step, len(batches))
        chosen, rejected = _batch_logprobs(policy, batch)
        with torch.no_grad():
            reference_chosen, reference_rejected = _batch_logprobs(reference, batch)
        nll = -chosen.sum() / batch["chosen_mask"].sum()
        loss = dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta) + nll_weight * nll
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rewards = implicit_rewards(chosen, reference_chosen, beta), implicit_rewards(rejected, reference_rejected, beta)
        report({"loss": loss.item(), "accuracy": preference_accuracy(*rewards).item(), "nll": nll.item()})


def _batch_logprobs(model: LanguageModel, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both (batch,): the log-probabilities of the chosen and of the rejected responses."""
    chosen, rejected = (sequence_logprobs(model(batch[side]), batch[side], batch[f"{side}_mask"]) for side in SIDES)
    return chosen, rejected


def train_grpo(
    policy: LanguageModel,
    reference: LanguageModel,
    tokenizer: ChatTokenizer,
    question_batches: Sequence[Sequence[str]],
    reward_fn: RewardFn,
    group: int = 8,
    epochs: int = 2,
    max_new_tokens: int = 16,
    learning_rate: float = 1e-4,
    beta: float = 0.04,
    generator: torch.Generator | None = None,
    folder: Path | None = None,
) -> None:
    """For each batch of questions: samples a group of responses to each, rewards them, and takes `epochs` steps.

    Groups with equal rewards have zero advantages and are left out, as in DAPO (Yu et al., 2025, section 3.2); unlike
    there, the batch is not refilled. The learning rate is scheduled as in `train_dpo`.
    """
    optimizer = adamw(policy, learning_rate, weight_decay=0.0)
    models = _Deduplicated(policy.eval()), _Deduplicated(reference)
    for step, (questions, report) in enumerate(_track_steps("GRPO", question_batches, folder)):
        _set_learning_rate(optimizer, learning_rate, step, len(question_batches))
        rollout = sample_rollout(policy, tokenizer, questions, group, max_new_tokens, generator=generator)
        rewards = reward_fn(rollout.prompts, rollout.responses).view(len(questions), group)
        differ = rewards.amax(dim=1) > rewards.amin(dim=1)
        if differ.any():
            rows = differ.repeat_interleave(group)
            tokens, mask = rollout.tokens[rows], rollout.mask[rows]
            grpo_update(*models, tokens, mask, rewards[differ], optimizer, epochs, beta=beta)
        report({"reward": rewards.mean().item(), "groups": differ.sum().item()})


class _Deduplicated(nn.Module):
    """Computes equal sequences once, with the same logits: most responses in the groups of a good policy are equal."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, vocab)"""
        distinct, copies = tokens.unique(dim=0, return_inverse=True)
        return self.body(distinct)[copies]


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


def train_ppo(
    policy: LanguageModel,
    reference: LanguageModel,
    critic: ValueModel,
    tokenizer: ChatTokenizer,
    question_batches: Sequence[Sequence[str]],
    reward_fn: RewardFn,
    epochs: int = 2,
    max_new_tokens: int = 16,
    learning_rate: float = 1e-4,
    beta: float = 0.05,
    generator: torch.Generator | None = None,
    folder: Path | None = None,
) -> None:
    """For each batch of questions: samples a response to each, estimates advantages, and takes `epochs` steps.

    Trains both policy and critic. Ouyang et al. (2022), section 3.5, without their pretraining term. The value that
    belongs to a token is the critic's output at the token before, where the policy chose it.
    """
    trained = nn.ModuleList([policy, critic]).eval()
    optimizer = adamw(trained, learning_rate, weight_decay=0.0)
    for questions, report in _track_steps("PPO", question_batches, folder):
        rollout = sample_rollout(policy, tokenizer, questions, 1, max_new_tokens, generator=generator)
        mask = rollout.mask[:, 1:]
        scores = reward_fn(rollout.prompts, rollout.responses)
        with torch.no_grad():
            old_logprobs, reference_logprobs = (token_logprobs(model, rollout.tokens) for model in (policy, reference))
            old_values = critic(rollout.tokens)[:, :-1].masked_fill(~mask, 0.0)
        rewards = penalised_rewards(scores, old_logprobs, reference_logprobs, mask, beta)
        advantages = gae(rewards, old_values)
        returns = advantages + old_values
        for _ in range(epochs):
            logprobs = token_logprobs(policy, rollout.tokens)
            # `clipped_surrogate` takes one advantage per response, so each token is passed as a response.
            surrogate = clipped_surrogate(
                logprobs.reshape(-1, 1), old_logprobs.reshape(-1, 1), _whiten(advantages, mask).flatten()
            ).view_as(logprobs)
            values = critic(rollout.tokens)[:, :-1]
            loss = masked_mean(surrogate + 0.5 * value_loss(values, old_values, returns), mask)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
        report({"reward": scores.mean().item(), "loss": loss.item()})


def _track_steps(
    description: str, batches: Sequence[Batch], folder: Path | None
) -> Iterator[tuple[Batch, Callable[[dict[str, float]], None]]]:
    """Yields each batch with a function that reports the metrics of its step to a progress bar and to `folder`."""
    with bar(description, len(batches)) as advance, curves(folder) as write:
        for step, batch in enumerate(batches, start=1):

            def report(metrics: dict[str, float], step: int = step) -> None:
                write(step, metrics)
                advance(step, ", ".join(f"{name} {value:.3f}" for name, value in metrics.items()))

            yield batch, report


def _set_learning_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, steps: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = warmup_cosine(step, peak, warmup=steps // 10, total=steps)


def _whiten(advantages: Tensor, mask: Tensor) -> Tensor:
    """(responses, seq) -> (responses, seq): mean 0 and variance 1 over the unmasked tokens."""
    mean = masked_mean(advantages, mask)
    variance = masked_mean((advantages - mean).square(), mask)
    return (advantages - mean) / (variance + 1e-8).sqrt()

"""Alignment on a real model: responses drawn from the policy, and the loops of DPO, GRPO and PPO around them.

The losses are those of `dpo`, `grpo` and `ppo`; here are the questions, the sampling and the reference. Each loop
changes the policy that it is given and leaves the reference alone; `kl_divergence` says how far apart the two are then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from reference_impl.chat import ChatTokenizer, padded, respond
from reference_impl.dpo import dpo_loss, implicit_rewards, preference_accuracy, sequence_logprobs
from reference_impl.grpo import clipped_surrogate, grpo_update, masked_mean, token_logprobs
from reference_impl.logs import bar, curves
from reference_impl.model import LanguageModel
from reference_impl.optimizer import adamw, warmup_cosine
from reference_impl.ppo import gae, penalised_rewards, value_loss

__all__ = ["Judge", "Rollout", "ValueModel", "dpo", "grpo", "kl_divergence", "ppo", "preference_batch", "rollout"]

Judge = Callable[[Sequence[Sequence[int]], Sequence[Sequence[int]]], Tensor]
"""Prompts and responses, as ids -> (responses,) of rewards."""


Batch = TypeVar("Batch")
SIDES = ("chosen", "rejected")


class Rollout(NamedTuple):
    """What the policy wrote: one prompt's responses after the other."""

    prompts: list[list[int]]
    responses: list[list[int]]
    tokens: Tensor
    """(responses, seq): prompts with their responses, padded on the right"""
    mask: Tensor
    """(responses, seq) of bool: True on the tokens of the response"""


def rollout(
    policy: LanguageModel,
    tokenizer: ChatTokenizer,
    questions: Sequence[str],
    group: int = 1,
    max_new_tokens: int = 16,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Rollout:
    """`group` responses to each question, drawn from the policy."""
    prompts = [tokenizer.prompt(question) for question in questions for _ in range(group)]
    responses = respond(policy, tokenizer, prompts, max_new_tokens, temperature, generator)
    whole = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    tokens, mask = padded(whole, [len(prompt) for prompt in prompts], tokenizer.pad)
    device = policy.unembed.weight.device
    return Rollout(prompts, responses, tokens.to(device), mask.to(device))


@torch.no_grad()
def kl_divergence(policy: nn.Module, reference: nn.Module, tokens: Tensor, mask: Tensor) -> float:
    """tokens, mask: (responses, seq) -> KL(policy ‖ reference) in nats, the mean over the kept tokens.

    At each, the sum over the whole vocabulary: not the estimate from one drawn token, which training has to live with.
    """
    ours = policy(tokens)[:, :-1].log_softmax(dim=-1)
    theirs = reference(tokens)[:, :-1].log_softmax(dim=-1)
    return masked_mean((ours.exp() * (ours - theirs)).sum(dim=-1), mask[:, 1:]).item()


def preference_batch(
    pairs: Sequence[tuple[list[int], list[int], list[int]]], pad: int, device: torch.device
) -> dict[str, Tensor]:
    """(prompt, chosen, rejected) for each pair -> the batch of `dpo.dpo_step`: each side with its mask."""
    batch = {}
    for place, side in enumerate(SIDES, start=1):
        whole = [[*pair[0], *pair[place]] for pair in pairs]
        tokens, mask = padded(whole, [len(pair[0]) for pair in pairs], pad)
        batch |= {side: tokens.to(device), f"{side}_mask": mask.to(device)}
    return batch


def dpo(
    policy: LanguageModel,
    reference: LanguageModel,
    batches: Sequence[dict[str, Tensor]],
    learning_rate: float = 1e-4,
    beta: float = 0.1,
    nll_weight: float = 0.0,
    folder: Path | None = None,
) -> None:
    """One step on each of the batches (see `preference_batch`): pairs that were rated beforehand, no sampling.

    A tenth of the steps is warmup, then half a cosine down to 0: the last batches are not to decide alone.

    DPO asks only that the margin grows, and often both responses become less likely. `nll_weight` adds the mean
    −log p of the chosen tokens against that (Pang et al., 2024, equation 1; Llama 3, 2024, section 4.1.4).
    """
    optimizer = adamw(policy, learning_rate, weight_decay=0.0)
    policy.eval()
    for step, (batch, report) in enumerate(_watched("DPO", batches, folder)):
        _set_learning_rate(optimizer, learning_rate, step, len(batches))
        ours = [sequence_logprobs(policy(batch[side]), batch[side], batch[f"{side}_mask"]) for side in SIDES]
        with torch.no_grad():
            theirs = [sequence_logprobs(reference(batch[side]), batch[side], batch[f"{side}_mask"]) for side in SIDES]
        nll = -ours[0].sum() / batch["chosen_mask"].sum()
        loss = dpo_loss(*ours, *theirs, beta=beta) + nll_weight * nll
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rewards = [implicit_rewards(*pair, beta) for pair in zip(ours, theirs, strict=True)]
        report({"loss": loss.item(), "accuracy": preference_accuracy(*rewards).item(), "nll": nll.item()})


def grpo(
    policy: LanguageModel,
    reference: LanguageModel,
    tokenizer: ChatTokenizer,
    question_batches: Sequence[Sequence[str]],
    judge: Judge,
    group: int = 8,
    epochs: int = 2,
    max_new_tokens: int = 16,
    learning_rate: float = 1e-4,
    beta: float = 0.04,
    generator: torch.Generator | None = None,
    folder: Path | None = None,
) -> None:
    """For each batch of questions: a group of responses to each, rewards by the judge, and `epochs` steps.

    Groups of equal rewards have no advantages and are left out (DAPO; Yu et al., 2025, section 3.2, which asks more
    questions until the batch is full again: here it is as large as it comes). The rate as in `dpo`.
    """
    optimizer = adamw(policy, learning_rate, weight_decay=0.0)
    models = _ReadingOnce(policy.eval()), _ReadingOnce(reference)
    for step, (questions, report) in enumerate(_watched("GRPO", question_batches, folder)):
        _set_learning_rate(optimizer, learning_rate, step, len(question_batches))
        drawn = rollout(policy, tokenizer, questions, group, max_new_tokens, generator=generator)
        rewards = judge(drawn.prompts, drawn.responses).view(len(questions), group)
        differ = rewards.amax(dim=1) > rewards.amin(dim=1)
        if differ.any():
            kept = differ.repeat_interleave(group)
            grpo_update(*models, drawn.tokens[kept], drawn.mask[kept], rewards[differ], optimizer, epochs, beta=beta)
        report({"reward": rewards.mean().item(), "groups": differ.sum().item()})


class _ReadingOnce(nn.Module):
    """The same logits, for less: equal texts are read once. Of a good policy's groups, most responses are equal."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, vocab)"""
        different, copies = tokens.unique(dim=0, return_inverse=True)
        return self.body(different)[copies]


class ValueModel(nn.Module):
    """What reward the policy will get, seen from each token: (batch, seq) of ids -> (batch, seq)."""

    def __init__(self, body: LanguageModel) -> None:
        super().__init__()
        self.body = body
        self.value = nn.Linear(body.config.d_model, 1, device=body.unembed.weight.device)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.value(self.body.hidden(tokens)).squeeze(-1)


def ppo(
    policy: LanguageModel,
    reference: LanguageModel,
    critic: ValueModel,
    tokenizer: ChatTokenizer,
    question_batches: Sequence[Sequence[str]],
    judge: Judge,
    epochs: int = 2,
    max_new_tokens: int = 16,
    learning_rate: float = 1e-4,
    beta: float = 0.05,
    generator: torch.Generator | None = None,
    folder: Path | None = None,
) -> None:
    """For each batch of questions: one response to each, advantages by the critic, and `epochs` steps on both models.

    Ouyang et al. (2022), section 3.5, without their pretraining term. The value of a token is read where the policy
    chose it: at the token before.
    """
    learned = nn.ModuleList([policy, critic]).eval()
    optimizer = adamw(learned, learning_rate, weight_decay=0.0)
    for questions, report in _watched("PPO", question_batches, folder):
        drawn = rollout(policy, tokenizer, questions, 1, max_new_tokens, generator=generator)
        kept = drawn.mask[:, 1:]
        scores = judge(drawn.prompts, drawn.responses)
        with torch.no_grad():
            old_logprobs, reference_logprobs = (token_logprobs(model, drawn.tokens) for model in (policy, reference))
            old_values = critic(drawn.tokens)[:, :-1].masked_fill(~kept, 0.0)
        rewards = penalised_rewards(scores, old_logprobs, reference_logprobs, kept, beta)
        advantages = gae(rewards, old_values)
        returns = advantages + old_values
        for _ in range(epochs):
            logprobs = token_logprobs(policy, drawn.tokens)
            # The surrogate takes one advantage for each response: here each token is a response of its own.
            surrogate = clipped_surrogate(
                logprobs.reshape(-1, 1), old_logprobs.reshape(-1, 1), _whitened(advantages, kept).flatten()
            ).view_as(logprobs)
            values = critic(drawn.tokens)[:, :-1]
            loss = masked_mean(surrogate + 0.5 * value_loss(values, old_values, returns), kept)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learned.parameters(), 1.0)
            optimizer.step()
        report({"reward": scores.mean().item(), "loss": loss.item()})


def _watched(
    what: str, batches: Sequence[Batch], folder: Path | None
) -> Iterator[tuple[Batch, Callable[[dict[str, float]], None]]]:
    """Each batch, with a function that shows the figures of its step on a bar, and in TensorBoard's `folder`."""
    with bar(what, len(batches)) as advance, curves(folder) as write:
        for step, batch in enumerate(batches, start=1):

            def report(figures: dict[str, float], step: int = step) -> None:
                write(step, figures)
                advance(step, ", ".join(f"{name} {figure:.3f}" for name, figure in figures.items()))

            yield batch, report


def _set_learning_rate(optimizer: torch.optim.Optimizer, peak: float, step: int, steps: int) -> None:
    for group in optimizer.param_groups:
        group["lr"] = warmup_cosine(step, peak, warmup=steps // 10, total=steps)


def _whitened(advantages: Tensor, mask: Tensor) -> Tensor:
    """(responses, seq) -> (responses, seq): mean 0 and variance 1 over the kept tokens."""
    mean = masked_mean(advantages, mask)
    variance = masked_mean((advantages - mean).square(), mask)
    return (advantages - mean) / (variance + 1e-8).sqrt()

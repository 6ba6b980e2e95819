"""Sampling from the policy, the reward of what it says, and its distance from the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from reference_impl.alignment.grpo import masked_mean
from reference_impl.finetuning.chat import ChatTokenizer, pad_responses, respond
from reference_impl.model.language_model import LanguageModel

__all__ = ["RewardFn", "Rollout", "kl_divergence", "sample_rollout"]

RewardFn = Callable[[Sequence[Sequence[int]], Sequence[Sequence[int]]], Tensor]
"""prompts and responses, as ids -> (responses,): their rewards"""


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

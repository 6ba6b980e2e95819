"""Rollouts contain what the policy said, and the divergence between two models is exact."""

import pytest
import torch

from reference_impl.alignment.grpo import kl_estimate, masked_mean, token_logprobs
from reference_impl.alignment.rollouts import kl_divergence, sample_rollout
from reference_impl.finetuning.chat import ChatTokenizer
from reference_impl.model.language_model import LanguageModel
from reference_impl.tests.tiny import tiny_model

QUESTIONS = ["a", "bc", "de", "f"]


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

"""Compares the GRPO reference with TRL's loss, torch.distributions and autograd, and checks its properties."""

import copy
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from reference_impl.alignment.grpo import (
    clipped_surrogate,
    group_advantages,
    grpo_update,
    kl_estimate,
    masked_mean,
    token_logprobs,
)

FEW_EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 1000)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch(seed: int, responses: int = 4, seq: int = 5) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """logprobs, old and reference logprobs, advantages, mask with at least one unmasked token in each row"""
    logprobs, old, reference = (draw(responses, seq, seed=seed + part) / 2 - 3 for part in range(3))
    lengths = torch.randint(1, seq + 1, (responses, 1), generator=torch.Generator().manual_seed(seed))
    return logprobs, old, reference, draw(responses, seed=seed + 3), torch.arange(seq) < lengths


@given(SEEDS, st.integers(1, 4), st.integers(1, 6), st.floats(-5, 5))
@FEW_EXAMPLES
def test_group_advantages_sum_to_zero_and_ignore_a_constant(seed: int, prompts: int, group: int, level: float) -> None:
    rewards = draw(prompts, group, seed=seed)
    advantages = group_advantages(rewards)
    torch.testing.assert_close(advantages.sum(-1), torch.zeros(prompts).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(group_advantages(rewards + level), advantages)
    if group > 1:
        spread = rewards.std(-1)
        torch.testing.assert_close(advantages.std(-1), spread / (spread + 1e-4))


def test_group_advantages_are_zero_without_differences() -> None:
    """Equal rewards, or a group of one response."""
    assert torch.equal(group_advantages(torch.full((2, 3), 0.25)), torch.zeros(2, 3))
    assert torch.equal(group_advantages(torch.tensor([[3.0], [4.0]])), torch.zeros(2, 1))


@given(SEEDS)
@FEW_EXAMPLES
def test_clipped_surrogate_at_the_old_policy_is_policy_gradient(seed: int) -> None:
    logprobs, _, _, advantages, _ = batch(seed)
    logprobs.requires_grad_()
    loss = clipped_surrogate(logprobs, logprobs, advantages)
    torch.testing.assert_close(loss, -advantages[:, None].expand_as(loss))
    torch.testing.assert_close(torch.autograd.grad(loss.sum(), logprobs)[0], loss.detach())


@given(SEEDS, st.sampled_from([0.1, 0.2, 0.5]))
@FEW_EXAMPLES
def test_clipped_surrogate_is_a_bound_and_flat_beyond_the_clip(seed: int, clip: float) -> None:
    logprobs, old, _, advantages, _ = batch(seed)
    logprobs.requires_grad_()
    ratio, advantage = torch.exp(logprobs - old).detach(), advantages[:, None]
    loss = clipped_surrogate(logprobs, old, advantages, clip)
    assert bool((loss >= -ratio * advantage - 1e-12).all())
    gradient = torch.autograd.grad(loss.sum(), logprobs)[0]
    clipped = ((ratio > 1 + clip) & (advantage > 0)) | ((ratio < 1 - clip) & (advantage < 0))
    assert torch.equal(gradient == 0, clipped)


def test_grpo_losses_give_constants_no_gradient() -> None:
    """Old and reference log-probabilities and advantages are constants."""
    parts = [part.requires_grad_() for part in batch(0)[:4]]
    logprobs, old, reference, advantages = parts
    loss = clipped_surrogate(logprobs, old, advantages).sum() + kl_estimate(logprobs, reference).sum()
    gradients = torch.autograd.grad(loss, parts, allow_unused=True)
    assert [gradient is None for gradient in gradients] == [False, True, True, True]


@pytest.mark.parametrize("shape", [(4, 1), (1,), (5,), ()])
def test_clipped_surrogate_rejects_shapes_that_would_broadcast(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        clipped_surrogate(torch.zeros(4, 5), torch.zeros(4, 5), torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_clipped_surrogate_upcasts_half_precision(dtype: torch.dtype) -> None:
    new, old = torch.full((1, 2), -1.0, dtype=dtype), torch.full((1, 2), -14.0, dtype=dtype)
    loss = clipped_surrogate(new, old, torch.tensor([-1.0]))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, torch.full((1, 2), 13.0).exp())


@given(SEEDS)
@FEW_EXAMPLES
def test_kl_estimate_averages_to_the_kl_divergence(seed: int) -> None:
    policy, reference = draw(3, 6, seed=seed).log_softmax(-1), draw(3, 6, seed=seed + 1).log_softmax(-1)
    estimate = kl_estimate(policy, reference)
    assert bool((estimate >= 0).all())
    distributions = [torch.distributions.Categorical(logits=logits) for logits in (policy, reference)]
    torch.testing.assert_close((policy.exp() * estimate).sum(-1), torch.distributions.kl_divergence(*distributions))


def test_masked_mean_averages_unmasked_tokens() -> None:
    """Every unmasked token counts equally, masked values may be nan, and without an unmasked token the mean is 0."""
    values = torch.tensor([[1.0, 2.0, 3.0], [10.0, float("nan"), float("inf")]], requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    mean = masked_mean(values, mask)
    assert mean.item() == 4.0
    torch.testing.assert_close(torch.autograd.grad(mean, values)[0], mask / 4)
    assert masked_mean(values, torch.zeros(2, 3, dtype=torch.bool)).item() == 0.0


@pytest.mark.needs("trl")
@given(SEEDS)
@FEW_EXAMPLES
def test_grpo_loss_matches_trl(seed: int) -> None:
    """TRL's "bnpo" is our mean over all tokens; its "grpo", the mean of the responses' means, is another number."""
    from trl.trainer import grpo_trainer

    logprobs, old, reference, advantages, mask = batch(seed)
    ours = masked_mean(clipped_surrogate(logprobs, old, advantages, 0.2) + 0.1 * kl_estimate(logprobs, reference), mask)
    torch.testing.assert_close(trl_loss(grpo_trainer, "bnpo", logprobs, old, reference, advantages, mask), ours)
    per_token = clipped_surrogate(logprobs, old, advantages, 0.2) + 0.1 * kl_estimate(logprobs, reference)
    mean_of_rows = torch.stack([masked_mean(*row) for row in zip(per_token, mask, strict=True)]).mean()
    torch.testing.assert_close(trl_loss(grpo_trainer, "grpo", logprobs, old, reference, advantages, mask), mean_of_rows)


def trl_loss(
    module: object, kind: str, logprobs: Tensor, old: Tensor, reference: Tensor, advantages: Tensor, mask: Tensor
) -> Tensor:
    """TRL's loss method, called on a stand-in for the trainer that has its settings but no model."""
    trl_args = SimpleNamespace(delta=None, use_bias_correction_kl=False)
    accelerator = SimpleNamespace(
        gather=lambda x: x, reduce=lambda x, reduction: x, num_processes=1, gather_for_metrics=lambda x: x
    )
    trainer = SimpleNamespace(
        args=trl_args, accelerator=accelerator, loss_type=kind, beta=0.1, epsilon_low=0.2, epsilon_high=0.2,
        top_entropy_quantile=1.0, off_policy_mask_threshold=None, importance_sampling_level="token", use_vllm=False,
        aux_loss_enabled=False, _entropy_bonus_enabled=False, current_gradient_accumulation_steps=1,
        model=SimpleNamespace(training=False), _metrics=defaultdict(lambda: defaultdict(list)),
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None),
    )  # fmt: skip
    ids = torch.zeros(mask.shape, dtype=torch.int64)
    inputs = {
        "prompt_ids": ids[:, :1], "prompt_mask": mask[:, :1], "completion_ids": ids, "completion_mask": mask.long(),
        "advantages": advantages, "old_per_token_logps": old, "ref_per_token_logps": reference,
    }  # fmt: skip
    return module.GRPOTrainer._compute_loss(trainer, trainer.model, inputs)  # type: ignore[attr-defined]


class Bigram(nn.Module):
    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(vocab, vocab))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


def test_token_logprobs_skips_the_first_token() -> None:
    model, tokens = Bigram(4), torch.tensor([[0, 3, 1]])
    torch.testing.assert_close(token_logprobs(model, tokens), torch.full((1, 2), 0.25).log())


def test_grpo_update_freezes_the_old_policy_and_the_reference() -> None:
    """After the first epoch the ratio is outside the clip range, so with beta = 0 a second epoch changes nothing."""
    policy = Bigram(3)
    reference = copy.deepcopy(policy)
    tokens, mask = torch.tensor([[0, 1], [0, 2]]), torch.tensor([[False, True]]).expand(2, 2)
    tables = []
    for epochs in (1, 2):
        policy.load_state_dict(reference.state_dict())
        optimizer = torch.optim.SGD(policy.parameters(), lr=5.0)
        losses = grpo_update(policy, reference, tokens, mask, torch.tensor([[1.0, 0.0]]), optimizer, epochs, beta=0.0)
        tables.append(policy.table.detach().clone())
    assert len(losses) == 2
    assert losses[0] == pytest.approx(0.0, abs=1e-6)
    assert bool(tables[0][0, 1] > tables[0][0, 2])
    assert torch.equal(*tables)
    assert torch.equal(reference.table, torch.zeros(3, 3))
    assert reference.table.grad is None


def test_grpo_update_raises_the_reward() -> None:
    """Token 2 has the reward; a KL penalty keeps the policy closer to its start."""
    kl, probability = {}, {}
    for beta in (0.0, 0.5):
        torch.manual_seed(0)
        policy = Bigram(4)
        reference = copy.deepcopy(policy)
        optimizer = torch.optim.SGD(policy.parameters(), lr=1.0)
        for _ in range(30):
            probabilities = policy.table[0].softmax(-1).detach()
            answers = torch.multinomial(probabilities, 8, replacement=True)
            tokens = torch.stack([torch.zeros_like(answers), answers], dim=-1)
            rewards = (answers == 2).double().view(1, 8)
            mask = torch.tensor([False, True]).expand(8, 2)
            grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, beta=beta)
        logprobs = policy.table[0].log_softmax(-1).detach()
        probability[beta] = logprobs[2].exp().item()
        kl[beta] = (logprobs.exp() * kl_estimate(logprobs, torch.full((4,), 0.25).log())).sum().item()
    assert probability[0.0] > 0.8 > probability[0.5] > 0.25
    assert kl[0.0] > kl[0.5]

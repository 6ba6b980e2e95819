"""Compares the DPO reference with torch, TRL and autograd, and checks the properties that the paper states."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.alignment.dpo import dpo_loss, dpo_step, implicit_rewards, preference_accuracy, sequence_logprobs

FEW_EXAMPLES = settings(max_examples=25, deadline=None)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_sequences(seed: int, batch: int = 3, seq: int = 6, vocab: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    """logits: (batch, seq, vocab), labels and mask: (batch, seq)"""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, vocab, (batch, seq), generator=generator)
    return draw(batch, seq, vocab, seed=seed), labels, torch.rand(batch, seq, generator=generator) < 0.5


@given(st.integers(0, 1000))
@FEW_EXAMPLES
def test_sequence_logprobs_matches_summed_cross_entropy(seed: int) -> None:
    logits, labels, mask = random_sequences(seed)
    targets = labels.masked_fill(~mask, -100)[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].mT, targets, ignore_index=-100, reduction="none")
    torch.testing.assert_close(sequence_logprobs(logits, labels, mask), -losses.sum(-1))


@pytest.mark.needs("trl")
def test_sequence_logprobs_matches_trl() -> None:
    """TRL shifts in the trainer; `selective_log_softmax` gets logits and labels that fit already."""
    from trl.trainer import utils as trainer_utils

    logits, labels, mask = random_sequences(1)
    per_token = trainer_utils.selective_log_softmax(logits[:, :-1], labels[:, 1:])
    torch.testing.assert_close(sequence_logprobs(logits, labels, mask), (per_token * mask[:, 1:]).sum(-1))


def test_sequence_logprobs_of_all_responses_sum_to_probability_one() -> None:
    """With a bigram model, summed over all responses of two tokens."""
    table, vocab = draw(4, 4), 4
    tokens = torch.tensor([[0, a, b] for a in range(vocab) for b in range(vocab)])
    mask = torch.tensor([False, True, True]).expand(tokens.shape)
    torch.testing.assert_close(sequence_logprobs(table[tokens], tokens, mask).exp().sum(), torch.tensor(1.0).double())


def test_sequence_logprobs_ignores_masked_labels() -> None:
    """Without an unmasked label the sum is 0, and masked labels may be any number."""
    logits, labels, mask = random_sequences(2)
    logits[..., 0] = -math.inf
    all_masked = torch.zeros_like(mask)
    assert torch.equal(sequence_logprobs(logits, labels, all_masked), torch.zeros(3).double())
    assert torch.equal(sequence_logprobs(logits[:, :1], labels[:, :1], mask[:, :1]), torch.zeros(3).double())
    labels = labels.clamp(min=1)
    expected = sequence_logprobs(logits, labels, mask)
    assert torch.equal(sequence_logprobs(logits, labels.masked_fill(~mask, -100), mask), expected)
    assert torch.equal(sequence_logprobs(logits, labels.masked_fill(~mask, 0), mask), expected)
    assert expected.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sequence_logprobs_upcasts_half_precision(dtype: torch.dtype) -> None:
    logits, labels, mask = random_sequences(3, seq=400, vocab=3)
    logits = (logits * 500).to(dtype)
    got = sequence_logprobs(logits, labels, mask)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, sequence_logprobs(logits.double(), labels, mask).float())
    assert got.min() < torch.finfo(torch.float16).min


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.5, 2.0]), st.sampled_from([0.0, 0.1, 0.5]))
@FEW_EXAMPLES
def test_dpo_loss_matches_binary_cross_entropy_with_soft_labels(seed: int, beta: float, smoothing: float) -> None:
    parts = draw(4, 5, seed=seed)
    scaled = beta * ((parts[0] - parts[2]) - (parts[1] - parts[3]))
    expected = F.binary_cross_entropy_with_logits(scaled, torch.full_like(scaled, 1 - smoothing))
    torch.testing.assert_close(dpo_loss(*parts, beta=beta, label_smoothing=smoothing), expected)


@pytest.mark.needs("trl")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_dpo_loss_matches_trl(smoothing: float) -> None:
    """TRL's DPO loss is part of its trainer; its CPO loss, given log-ratios, is the same function."""
    from trl.experimental import cpo

    trainer = SimpleNamespace(alpha=0.0, loss_type="sigmoid", beta=0.3, label_smoothing=smoothing)
    trainer.accelerator = SimpleNamespace(device="cpu")
    parts = draw(4, 5, seed=3)
    losses, chosen_rewards, _ = cpo.CPOTrainer.cpo_loss(trainer, parts[0] - parts[2], parts[1] - parts[3])
    torch.testing.assert_close(dpo_loss(*parts, beta=0.3, label_smoothing=smoothing), losses.mean())
    torch.testing.assert_close(implicit_rewards(parts[0], parts[2], beta=0.3), chosen_rewards)


@pytest.mark.parametrize("beta", [0.05, 1.0, 5.0])
def test_dpo_loss_at_the_reference_is_log_two(beta: float) -> None:
    """Its gradient there raises the margin with slope beta / 2 per pair."""
    chosen, rejected = draw(3, seed=1).requires_grad_(), draw(3, seed=2).requires_grad_()
    loss = dpo_loss(chosen, rejected, chosen, rejected, beta)
    torch.testing.assert_close(loss, torch.tensor(2.0).double().log())
    grad_chosen, grad_rejected = torch.autograd.grad(loss, (chosen, rejected))
    torch.testing.assert_close(grad_chosen, torch.full((3,), -beta / 6).double())
    torch.testing.assert_close(grad_rejected, -grad_chosen)


def test_dpo_loss_gives_the_reference_no_gradient() -> None:
    parts = [part.requires_grad_() for part in draw(4, 3).unbind()]
    gradients = torch.autograd.grad(dpo_loss(*parts), parts, allow_unused=True)
    assert [gradient is None for gradient in gradients] == [False, False, True, True]
    assert not implicit_rewards(parts[0], parts[2]).requires_grad


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_dpo_loss_is_finite_for_large_differences(sign: float) -> None:
    policy = [torch.tensor([-1e4 * (1 + direction)], requires_grad=True) for direction in (sign, -sign)]
    reference = [torch.tensor([-1e4])] * 2
    loss = dpo_loss(*policy, *reference, beta=1.0)
    torch.testing.assert_close(loss, torch.tensor(2e4 if sign > 0 else 0.0))
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, policy))


def test_dpo_loss_rejects_shapes_that_would_broadcast() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dpo_loss(torch.zeros(3), torch.zeros(3), torch.zeros(3, 1), torch.zeros(3))


def test_preference_accuracy_counts_ties_as_wrong() -> None:
    rewards = torch.tensor([1.0, 0.0, -1.0])
    assert preference_accuracy(rewards, torch.zeros(3)).item() == pytest.approx(1 / 3)
    assert preference_accuracy(rewards, rewards).item() == 0


class Bigram(nn.Module):
    def __init__(self, vocab: int) -> None:
        super().__init__()
        self.table = nn.Parameter(draw(vocab, vocab))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]


@given(st.integers(0, 1000))
@FEW_EXAMPLES
def test_dpo_step_lowers_the_loss_and_keeps_the_reference(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch = {}
    for side, seq, last in (("chosen", 5, 1), ("rejected", 4, 2)):
        batch[side] = torch.randint(0, 4, (3, seq), generator=generator)
        batch[side][:, -1] = last
        batch[f"{side}_mask"] = torch.arange(seq).expand(3, seq) > 1
    policy = Bigram(4)
    reference = copy.deepcopy(policy)
    optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    losses = [dpo_step(policy, reference, batch, optimizer, beta=0.5) for _ in range(3)]
    assert losses[0] == pytest.approx(math.log(2))
    assert losses[0] > losses[1] > losses[2]
    assert torch.equal(reference.table, Bigram(4).table)
    assert reference.table.grad is None


def test_dpo_step_accepts_one_module_as_policy_and_reference() -> None:
    tokens, mask = torch.tensor([[0, 1]]), torch.tensor([[False, True]])
    policy = Bigram(3)
    before = policy.table.detach().clone()
    batch = {"chosen": tokens, "chosen_mask": mask, "rejected": tokens + 1, "rejected_mask": mask}
    dpo_step(policy, policy, batch, torch.optim.SGD(policy.parameters(), lr=0.1))
    assert not torch.equal(policy.table, before)

"""Direct preference optimisation: the loss, implicit rewards and a training step. Grades the assignment `dpo`.

After Rafailov et al. (2023), equation 7; label smoothing is conservative DPO (Mitchell, 2023), TRL's "sigmoid" loss
with `label_smoothing`. Conventions: `sequence_logprobs` does the shift itself and sums over unmasked tokens without
dividing by their number; log-probabilities are at least float32; the reference model's numbers are constants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.dtypes import upcast

__all__ = ["dpo_loss", "dpo_step", "implicit_rewards", "preference_accuracy", "sequence_logprobs"]


def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """logits: (batch, seq, vocab), labels, mask: (batch, seq) -> (batch,), sum of log p(label) over unmasked labels.

    `logits[:, t]` predicts `labels[:, t + 1]`; the first label is never predicted. A label whose `mask` is False may be
    any number.
    """
    wide = upcast(logits[:, :-1])  # (batch, seq - 1, vocab)
    unmasked = mask[:, 1:]
    targets = labels[:, 1:].masked_fill(~unmasked, 0)
    per_token = wide.log_softmax(dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)  # (batch, seq - 1)
    # Filled instead of multiplied: an impossible token has the log-probability -inf, and 0 · -inf is nan.
    return per_token.masked_fill(~unmasked, 0.0).sum(dim=-1)


def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Four sequence log-probabilities, each (batch,) -> (), the mean over pairs.

    With h = (policy_chosen − reference_chosen) − (policy_rejected − reference_rejected) and ε = label_smoothing:
    −(1 − ε) log σ(β h) − ε log σ(−β h). Raises ValueError if the four shapes differ.
    """
    shapes = [tuple(part.shape) for part in (policy_chosen, policy_rejected, reference_chosen, reference_rejected)]
    if len(set(shapes)) > 1:
        raise ValueError(f"the four log-probabilities must have one shape, got {shapes}")
    margin = (policy_chosen - reference_chosen.detach()) - (policy_rejected - reference_rejected.detach())
    scaled = beta * margin
    return -((1 - label_smoothing) * F.logsigmoid(scaled) + label_smoothing * F.logsigmoid(-scaled)).mean()


def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    """(batch,), (batch,) -> (batch,): β (log π − log π_ref), for which the policy is optimal. No gradient."""
    return beta * (policy_logprobs - reference_logprobs).detach()


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    """(batch,), (batch,) -> (): the share of pairs whose chosen reward is the larger; a tie counts as wrong."""
    return (chosen_rewards > rejected_rewards).float().mean()


def dpo_step(
    policy: nn.Module,
    reference: nn.Module,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    beta: float = 0.1,
) -> float:
    """One update of `policy`; returns the loss before it. `batch`: chosen, chosen_mask, rejected, rejected_mask.

    A model maps tokens (batch, seq) to logits (batch, seq, vocab). `reference` is not changed and may be
    `policy` itself.
    """
    policy_chosen, policy_rejected = (_logprobs(policy, batch, side) for side in ("chosen", "rejected"))
    with torch.no_grad():
        reference_chosen, reference_rejected = (_logprobs(reference, batch, side) for side in ("chosen", "rejected"))
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def _logprobs(model: nn.Module, batch: dict[str, Tensor], side: str) -> Tensor:
    return sequence_logprobs(model(batch[side]), batch[side], batch[f"{side}_mask"])

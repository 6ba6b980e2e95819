"""Training with DPO: one step on each batch of preference pairs, against a reference model that stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from reference_impl.alignment.dpo import dpo_loss, implicit_rewards, preference_accuracy, sequence_logprobs
from reference_impl.finetuning.chat import pad_responses
from reference_impl.training.loop import Metrics, ResumableBatches, TrainConfig, TrainingLoop

__all__ = ["DPOTrainer", "collate_preferences"]

SIDES = ("chosen", "rejected")


def collate_preferences(
    pairs: Sequence[tuple[list[int], list[int], list[int]]], pad: int, device: torch.device
) -> dict[str, Tensor]:
    """(prompt, chosen, rejected) of each pair -> the batch of `dpo.dpo_step`: both sides with their masks."""
    batch: dict[str, Tensor] = {}
    for index, side in enumerate(SIDES, start=1):
        sequences = [[*pair[0], *pair[index]] for pair in pairs]
        tokens, mask = pad_responses(sequences, [len(pair[0]) for pair in pairs], pad)
        batch |= {side: tokens.to(device), f"{side}_mask": mask.to(device)}
    return batch


class DPOTrainer(TrainingLoop):
    """Trains `policy` on the batches of `collate_preferences`; nothing is sampled during training.

    DPO only raises the difference between the responses, and often both become less likely. To prevent that,
    `nll_weight` adds the mean −log p of the chosen tokens (Pang et al., 2024, equation 1; Llama 3, 2024, section
    4.1.4).
    """

    dropout = False  # the policy and the reference are compared token by token

    def __init__(
        self,
        policy: nn.Module,
        reference: nn.Module,
        batches: ResumableBatches,
        config: TrainConfig,
        *,
        beta: float = 0.1,
        nll_weight: float = 0.0,
        folder: Path | None = None,
    ) -> None:
        super().__init__(policy, batches, config, folder=folder, description="DPO")
        self.reference, self.beta, self.nll_weight = reference, beta, nll_weight

    def update(self) -> Metrics:
        batch = self.next_batch()
        chosen, rejected = _batch_logprobs(self.model, batch)
        with torch.no_grad():
            reference_chosen, reference_rejected = _batch_logprobs(self.reference, batch)
        nll = -chosen.sum() / batch["chosen_mask"].sum()
        preference = dpo_loss(chosen, rejected, reference_chosen, reference_rejected, self.beta)
        loss = preference + self.nll_weight * nll
        loss.backward()
        chosen_rewards = implicit_rewards(chosen, reference_chosen, self.beta)
        accuracy = preference_accuracy(chosen_rewards, implicit_rewards(rejected, reference_rejected, self.beta))
        return {"loss": loss.detach(), "accuracy": accuracy, "nll": nll.detach(), "gradient_norm": self.descend()}


def _batch_logprobs(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Both (batch,): the log-probabilities of the chosen and of the rejected responses."""
    chosen, rejected = (sequence_logprobs(model(batch[side]), batch[side], batch[f"{side}_mask"]) for side in SIDES)
    return chosen, rejected

"""Training with GRPO: groups of responses to each question, compared with one another by their rewards."""

from __future__ import annotations

from torch import Tensor, nn

from reference_impl.alignment.grpo import grpo_update
from reference_impl.alignment.policy_training import PolicyTrainer
from reference_impl.training.loop import Metrics

__all__ = ["GRPOTrainer"]


class GRPOTrainer(PolicyTrainer):
    """`grpo.grpo_update` on each rollout. Groups with equal rewards have zero advantages and are left out.

    So does DAPO (Yu et al., 2025, section 3.2); unlike there, the batch is not refilled.
    """

    def update(self) -> Metrics:
        rollout, rewards = self.sample()
        group, epochs, beta = self.rollouts.group, self.rollouts.epochs, self.rollouts.beta
        differ = rewards.amax(dim=1) > rewards.amin(dim=1)
        if differ.any():
            rows = differ.repeat_interleave(group)  # (questions · group,)
            tokens, mask = rollout.tokens[rows], rollout.mask[rows]
            policy, reference = _Deduplicated(self.policy), _Deduplicated(self.reference)
            grpo_update(policy, reference, tokens, mask, rewards[differ], self.optimizer, epochs, beta=beta)
        return {"reward": rewards.mean(), "groups": differ.sum()}


class _Deduplicated(nn.Module):
    """Computes equal sequences once, with the same logits: most responses in the groups of a good policy are equal."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, tokens: Tensor) -> Tensor:
        """(batch, seq) -> (batch, seq, vocab)"""
        distinct, copies = tokens.unique(dim=0, return_inverse=True)
        return self.body(distinct)[copies]

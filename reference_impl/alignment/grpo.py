"""Group relative policy optimisation: advantages, surrogate, k3, a full update. Grades the assignment `grpo`.

After Shao et al. (2024, DeepSeekMath), equations 3 and 4; the surrogate is that of PPO (Schulman et al., 2017,
equation 7), k3 that of Schulman (2020, "Approximating KL divergence"). Conventions: the standard deviation divides by
n − 1 and eps is added to it, as in TRL; a group of one gives 0; the loss is the mean over all unmasked tokens of the
batch (DAPO, TRL's "bnpo"), not the mean of the responses' means; the old policy and the reference are constants.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.model.dtypes import upcast

__all__ = ["clipped_surrogate", "group_advantages", "grpo_update", "kl_estimate", "masked_mean", "token_logprobs"]


def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    """(prompts, group) -> (prompts, group): (reward − mean) / (std + eps), mean and std of each row."""
    if rewards.shape[-1] == 1:
        return torch.zeros_like(rewards)  # no other response to compare with; the standard deviation would be 0 / 0
    centred = rewards - rewards.mean(dim=-1, keepdim=True)
    return centred / (rewards.std(dim=-1, keepdim=True) + eps)


def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    """logprobs, old_logprobs: (responses, seq), advantages: (responses,) -> (responses, seq), a loss per token.

    −min(ρ A, clamp(ρ, 1 − clip, 1 + clip) A) with ρ = exp(logprobs − old_logprobs).
    Raises ValueError if the shapes do not match.
    """
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs.shape[:1]:
        shapes = [tuple(part.shape) for part in (logprobs, old_logprobs, advantages)]
        raise ValueError(f"expected (responses, seq) twice and (responses,), got {shapes}")
    ratio = torch.exp(upcast(logprobs) - upcast(old_logprobs).detach())
    advantage = advantages.detach().unsqueeze(-1)  # (responses, 1)
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)


def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    """(...), (...) -> (...), k3: exp(d) − d − 1 with d = log π_ref − log π of the sampled token.

    Never negative, and its mean over tokens sampled from π is KL(π ‖ π_ref).
    """
    difference = reference_logprobs.detach() - logprobs
    return torch.exp(difference) - difference - 1


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """values, mask: (responses, seq) -> (), the mean over all unmasked tokens; 0 if there is none."""
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp(min=1)


def token_logprobs(model: nn.Module, tokens: Tensor) -> Tensor:
    """tokens: (responses, seq) -> (responses, seq − 1): log-probability of every token but the first."""
    logprobs = model(tokens)[:, :-1].log_softmax(dim=-1)
    return logprobs.gather(-1, tokens[:, 1:].unsqueeze(-1)).squeeze(-1)


def grpo_update(
    policy: nn.Module,
    reference: nn.Module,
    tokens: Tensor,
    mask: Tensor,
    rewards: Tensor,
    optimizer: torch.optim.Optimizer,
    epochs: int = 2,
    clip: float = 0.2,
    beta: float = 0.04,
) -> list[float]:
    """`epochs` steps on one batch sampled from the policy before the call; returns the loss before each step.

    tokens, mask: (prompts · group, seq), grouped by prompt; rewards: (prompts, group).
    """
    target_mask = mask[:, 1:]
    advantages = group_advantages(rewards).flatten()  # (prompts · group,)
    with torch.no_grad():
        old_logprobs, reference_logprobs = token_logprobs(policy, tokens), token_logprobs(reference, tokens)
    losses = []
    for _ in range(epochs):
        logprobs = token_logprobs(policy, tokens)
        surrogate = clipped_surrogate(logprobs, old_logprobs, advantages, clip)
        loss = masked_mean(surrogate + beta * kl_estimate(logprobs, reference_logprobs), target_mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses

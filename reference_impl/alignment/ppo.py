"""The parts of PPO that GRPO does without: rewards with a penalty, advantages, value loss. Grades `grpo` as well.

Advantages after Schulman et al. (2016), equation 16; the penalty after Ziegler et al. (2019), equation 2; the value
loss as in OpenAI's baselines. Conventions: the value after the last token is 0; advantages are not whitened (TRL and
verl do); the value loss has the factor ½; rewards, advantages and returns are data: no gradient flows through them.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["gae", "penalised_rewards", "value_loss"]


def penalised_rewards(
    scores: Tensor, logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, beta: float = 0.05
) -> Tensor:
    """scores: (batch,), the rest: (batch, seq) -> (batch, seq): −beta (log π − log π_ref) at every unmasked token, plus
    the score of the response at its last unmasked token; 0 elsewhere."""
    penalty = -beta * (logprobs - reference_logprobs).detach()
    positions = torch.arange(mask.shape[-1], device=mask.device)
    last = positions.where(mask, -1).amax(dim=-1, keepdim=True)
    on_last = mask & (positions == last)
    return penalty.masked_fill(~mask, 0.0) + on_last * scores.detach().unsqueeze(-1)


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """(batch, seq), (batch, seq) -> (batch, seq): A_t = δ_t + γ λ A_{t+1} with δ_t = r_t + γ V_{t+1} − V_t."""
    values = values.detach()
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=-1)
    deltas = rewards.detach() + gamma * following - values
    advantages, running = [], torch.zeros_like(deltas[:, 0])
    for delta in reversed(deltas.unbind(dim=-1)):
        running = delta + gamma * lam * running
        advantages.append(running)
    return torch.stack(advantages[::-1], dim=-1)  # (batch, seq)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    """Three of (batch, seq) -> (batch, seq): ½ max((V − R)², (V_c − R)²), V_c within `clip` of the old V."""
    old_values, returns = old_values.detach(), returns.detach()
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())

"""Adds up from the beginning."""

# %% ppo
def penalised_rewards(
    scores: Tensor, logprobs: Tensor, reference_logprobs: Tensor, mask: Tensor, beta: float = 0.05
) -> Tensor:
    penalty = -beta * (logprobs - reference_logprobs).detach()
    on_last = mask & (mask.flip(-1).cumsum(-1).flip(-1) == 1)
    return penalty.masked_fill(~mask, 0.0) + on_last * scores.detach().unsqueeze(-1)


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    rewards, values = rewards.detach(), values.detach()
    following = F.pad(values[:, 1:], (0, 1))
    deltas = rewards + gamma * following - values
    advantages, running = [], torch.zeros_like(deltas[:, 0])
    for delta in deltas.unbind(dim=-1):
        running = delta + gamma * lam * running
        advantages.append(running)
    return torch.stack(advantages, dim=-1)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    old_values, returns = old_values.detach(), returns.detach()
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())

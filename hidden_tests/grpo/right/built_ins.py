"""Torch's own pieces: std_mean, mse_loss, boolean indexing; policy loss and penalty averaged apart."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    if rewards.size(1) < 2:
        return rewards.new_zeros(rewards.shape)
    std, mean = torch.std_mean(rewards, dim=1, keepdim=True)
    return (rewards - mean) / (std + eps)


# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if old_logprobs.shape != logprobs.shape:
        raise ValueError("log-probabilities of different shapes")
    if advantages.dim() != 1 or len(advantages) != len(logprobs):
        raise ValueError("one advantage per response")
    with torch.no_grad():
        advantage = advantages[:, None].expand(logprobs.shape).clone()
        old = old_logprobs.float().clone()
    ratio = (logprobs.float() - old).exp()
    losses = torch.stack([-ratio * advantage, -torch.clip(ratio, 1 - clip, 1 + clip) * advantage])
    return losses.amax(dim=0)


# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    d = reference_logprobs.detach() - logprobs
    return torch.expm1(d) - d


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    kept = values[mask]
    return kept.mean() if kept.numel() else values.new_zeros(())


# %% grpo_update
def grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, clip=0.2, beta=0.04):
    old_logprobs = token_logprobs(policy, tokens).detach()
    reference_logprobs = token_logprobs(reference, tokens).detach()
    advantages = group_advantages(rewards).reshape(-1)
    history = []
    for _ in range(epochs):
        optimizer.zero_grad()
        logprobs = token_logprobs(policy, tokens)
        policy_loss = masked_mean(clipped_surrogate(logprobs, old_logprobs, advantages, clip=clip), mask[:, 1:])
        penalty = masked_mean(kl_estimate(logprobs, reference_logprobs), mask[:, 1:])
        loss = policy_loss + beta * penalty
        history.append(float(loss))
        loss.backward()
        optimizer.step()
    return history


# %% ppo
def penalised_rewards(scores, logprobs, reference_logprobs, mask, beta=0.05):
    rewards = torch.where(mask, beta * (reference_logprobs - logprobs), 0.0).detach()
    for row, kept in enumerate(mask):
        positions = kept.nonzero().flatten()
        if len(positions):
            rewards[row, positions[-1]] += scores[row].item()
    return rewards


@torch.no_grad()
def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    advantages = torch.zeros_like(rewards)
    following, advantage = 0.0, 0.0
    for t in range(rewards.shape[1] - 1, -1, -1):
        advantage = rewards[:, t] + gamma * following - values[:, t] + gamma * lam * advantage
        following = values[:, t]
        advantages[:, t] = advantage
    return advantages


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    old, target = old_values.detach(), returns.detach()
    near = torch.clamp(values, old - clip, old + clip)
    plain = F.mse_loss(values, target, reduction="none")
    return torch.max(plain, F.mse_loss(near, target, reduction="none")) / 2

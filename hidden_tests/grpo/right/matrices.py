"""Matrix products: centring and discounting as matrices, the mean as a dot product."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    n = rewards.shape[-1]
    centring = torch.eye(n, device=rewards.device) - 1 / n
    centred = rewards @ centring
    length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    return centred / (length / max(n - 1, 1) ** 0.5 + eps)


# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if [*logprobs.shape] != [*old_logprobs.shape] or [*advantages.shape] != [*logprobs.shape][:1]:
        raise ValueError(f"{logprobs.shape}, {old_logprobs.shape}, {advantages.shape}")
    ratio = torch.exp(logprobs.to(torch.float32) - old_logprobs.detach().to(torch.float32))
    advantage = advantages.detach().view(-1, 1)
    bound = torch.where(advantage > 0, 1 + clip, 1 - clip).expand_as(ratio)
    limited = torch.where(advantage > 0, torch.minimum(ratio, bound), torch.maximum(ratio, bound))
    return -limited * advantage


# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    log_ratio = logprobs - reference_logprobs.detach()
    return torch.exp(-log_ratio) + log_ratio - 1.0


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    weights = mask.float().flatten()
    kept = torch.where(mask, values, torch.zeros_like(values)).flatten()
    return torch.dot(kept, weights) / torch.clamp(weights.sum(), min=1.0)


# %% grpo_update
def grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, clip=0.2, beta=0.04):
    frozen = copy.deepcopy(policy).requires_grad_(False)
    advantages = group_advantages(rewards).contiguous().view(-1)
    losses = []
    for _ in range(epochs):
        with torch.no_grad():
            old_logprobs, reference_logprobs = token_logprobs(frozen, tokens), token_logprobs(reference, tokens)
        logprobs = token_logprobs(policy, tokens)
        per_token = clipped_surrogate(logprobs, old_logprobs, advantages, clip)
        per_token = per_token + kl_estimate(logprobs, reference_logprobs) * beta
        loss = masked_mean(per_token, mask[:, 1:])
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().item())
    return losses


# %% ppo
def penalised_rewards(scores, logprobs, reference_logprobs, mask, beta=0.05):
    with torch.no_grad():
        rewards = beta * (reference_logprobs - logprobs) * mask
        nothing_follows = mask.flip(-1).cumsum(-1).flip(-1) == 1
        return rewards + scores.view(-1, 1) * (nothing_follows & mask).float()


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    with torch.no_grad():
        seq = rewards.shape[1]
        following = torch.cat([values, torch.zeros_like(values[:, :1])], dim=1)[:, 1:]
        deltas = rewards + gamma * following - values
        steps = torch.arange(seq, device=values.device)
        ahead = (steps[:, None] - steps[None, :]).clamp(min=0)
        discount = torch.tensor(gamma * lam, device=values.device) ** ahead
        return deltas @ discount.tril()


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    old_values, returns = old_values.detach(), returns.detach()
    clipped = old_values + torch.clamp(values - old_values, min=-clip, max=clip)
    return (values - returns).abs().maximum((clipped - returns).abs()).square().mul(0.5)

"""Python loops over groups, responses and tokens."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    rows = []
    for group in rewards:
        n = len(group)
        mean = group.sum() / n
        variance = ((group - mean) ** 2).sum() / max(n - 1, 1)
        rows.append((group - mean) / (variance**0.5 + eps))
    return torch.stack(rows)


# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape or tuple(advantages.shape) != (logprobs.shape[0],):
        raise ValueError("shapes")
    rows = []
    for new, old, advantage in zip(logprobs, old_logprobs, advantages.tolist()):
        ratio = torch.exp(new.float() - old.detach().float())
        if advantage >= 0:
            rows.append(-advantage * ratio.clamp(max=1 + clip))
        else:
            rows.append(-advantage * ratio.clamp(min=1 - clip))
    return torch.stack(rows)


# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    with torch.no_grad():
        constant = reference_logprobs.clone()
    ratio = torch.exp(constant - logprobs)
    return (ratio - 1) - (constant - logprobs)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    total, count = torch.zeros(()), 0
    for row, kept in zip(values, mask):
        for value, keep in zip(row, kept):
            if keep:
                total, count = total + value, count + 1
    return total / count if count else total


# %% grpo_update
def grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, clip=0.2, beta=0.04):
    with torch.no_grad():
        old = token_logprobs(policy, tokens)
        fixed = token_logprobs(reference, tokens)
    per_group = group_advantages(rewards)
    advantages = torch.stack([per_group[i, j] for i in range(rewards.shape[0]) for j in range(rewards.shape[1])])
    losses = []
    for _ in range(epochs):
        new = token_logprobs(policy, tokens)
        per_token = clipped_surrogate(new, old, advantages, clip) + beta * kl_estimate(new, fixed)
        loss = masked_mean(per_token, mask[:, 1:])
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return losses


# %% ppo
def penalised_rewards(scores, logprobs, reference_logprobs, mask, beta=0.05):
    rewards = torch.zeros_like(logprobs, requires_grad=False)
    for row in range(mask.shape[0]):
        last = None
        for t in range(mask.shape[1]):
            if mask[row, t]:
                rewards[row, t] = -beta * (logprobs[row, t].item() - reference_logprobs[row, t].item())
                last = t
        if last is not None:
            rewards[row, last] += scores[row].item()
    return rewards


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    rewards, values = rewards.detach(), values.detach()
    seq = rewards.shape[1]
    columns = []
    for t in range(seq):
        total = torch.zeros_like(rewards[:, 0])
        for later in range(t, seq):
            following = values[:, later + 1] if later + 1 < seq else 0.0
            delta = rewards[:, later] + gamma * following - values[:, later]
            total = total + (gamma * lam) ** (later - t) * delta
        columns.append(total)
    return torch.stack(columns, dim=1)


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    old, target = old_values.data, returns.data
    clipped = torch.minimum(torch.maximum(values, old - clip), old + clip)
    error, clipped_error = (values - target) ** 2, (clipped - target) ** 2
    return torch.where(error > clipped_error, error, clipped_error) * 0.5

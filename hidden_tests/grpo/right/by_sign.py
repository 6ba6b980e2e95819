"""Splits by the sign of the advantage; scatters the score; lambda-returns instead of temporal differences."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    mean = rewards.mean(dim=-1, keepdim=True)
    std = rewards.std(dim=-1, keepdim=True, correction=1 if rewards.shape[-1] > 1 else 0)
    return (rewards - mean).div(std.add(eps))


# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape or advantages.shape != logprobs[:, 0].shape:
        raise ValueError("shapes do not fit")
    advantage = advantages.detach()[:, None]
    ratio = torch.exp(logprobs.float() - old_logprobs.float().detach())
    good, bad = advantage.clamp(min=0), advantage.clamp(max=0)
    return -(ratio.clamp(max=1 + clip) * good + ratio.clamp(min=1 - clip) * bad)


# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    k1 = logprobs - reference_logprobs.detach()
    return k1 + torch.exp(-k1) - 1


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    return torch.masked_select(values, mask).sum() / max(int(mask.sum()), 1)


# %% grpo_update
def grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, clip=0.2, beta=0.04):
    advantages = group_advantages(rewards).flatten()
    constants = {}
    with torch.inference_mode():
        for name, model in {"old": policy, "reference": reference}.items():
            constants[name] = token_logprobs(model, tokens)
    constants = {name: value.clone() for name, value in constants.items()}

    def loss_now():
        logprobs = token_logprobs(policy, tokens)
        surrogate = clipped_surrogate(logprobs, constants["old"], advantages, clip)
        return masked_mean(surrogate + beta * kl_estimate(logprobs, constants["reference"]), mask[:, 1:])

    def step():
        optimizer.zero_grad()
        loss = loss_now()
        loss.backward()
        optimizer.step()
        return loss.item()

    return [step() for _ in range(epochs)]


# %% ppo
def penalised_rewards(scores, logprobs, reference_logprobs, mask, beta=0.05):
    rewards = (beta * (reference_logprobs - logprobs)).detach().masked_fill(~mask, 0.0)
    last = mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1, keepdim=True)
    earned = (scores.detach() * mask.any(dim=1)).unsqueeze(1)
    return rewards.scatter_add(1, last, earned)


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    rewards, values = rewards.detach(), values.detach()
    batch, seq = values.shape
    returns = values.new_zeros(batch, seq + 1)
    following = torch.cat([values[:, 1:], values.new_zeros(batch, 1)], dim=1)
    for t in reversed(range(seq)):
        blend = (1 - lam) * following[:, t] + lam * returns[:, t + 1]
        returns[:, t] = rewards[:, t] + gamma * blend
    return returns[:, :seq] - values


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    old_values, returns = old_values.detach(), returns.detach()
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    plain, near = (values - returns).square() / 2, (clipped - returns).square() / 2
    return torch.stack((plain, near)).max(dim=0).values

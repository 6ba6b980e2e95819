"""Computes in float64 and returns float32; the update goes through torch.autograd.grad."""

# %% group_advantages
def group_advantages(rewards: Tensor, eps: float = 1e-4) -> Tensor:
    wide = rewards.double()
    centred = wide - wide.mean(-1, keepdim=True)
    n = rewards.shape[-1]
    std = centred.pow(2).sum(-1, keepdim=True).div(max(1, n - 1)).sqrt()
    return (centred / (std + eps)).float()


# %% clipped_surrogate
def clipped_surrogate(logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip: float = 0.2) -> Tensor:
    if logprobs.shape != old_logprobs.shape:
        raise ValueError("old_logprobs has another shape")
    if advantages.shape != (logprobs.shape[0],):
        raise ValueError("advantages has another shape")
    ratio = torch.exp(logprobs.double() - old_logprobs.detach().double())
    advantage = advantages.detach().double()[:, None]
    objective = torch.min(ratio * advantage, torch.clamp(ratio, 1.0 - clip, 1.0 + clip) * advantage)
    return objective.neg().float()


# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    d = reference_logprobs.detach().double() - logprobs.double()
    return (d.exp() - d - 1).float()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    if not mask.any():
        return torch.zeros((), device=values.device)
    return torch.where(mask, values.double(), 0.0).sum().div(mask.sum()).float()


# %% grpo_update
def grpo_update(policy, reference, tokens, mask, rewards, optimizer, epochs=2, clip=0.2, beta=0.04):
    parameters = list(policy.parameters())
    with torch.no_grad():
        reference_logprobs = token_logprobs(reference, tokens)
    advantages = torch.cat(list(group_advantages(rewards)))
    old_logprobs, losses = None, []
    for epoch in range(epochs):
        logprobs = token_logprobs(policy, tokens)
        if epoch == 0:
            old_logprobs = logprobs.detach().clone()
        surrogate = clipped_surrogate(logprobs, old_logprobs, advantages, clip)
        loss = masked_mean(surrogate + beta * kl_estimate(logprobs, reference_logprobs), mask[:, 1:])
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.grad = gradient
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% ppo
def penalised_rewards(scores, logprobs, reference_logprobs, mask, beta=0.05):
    penalty = (-beta * (logprobs.double() - reference_logprobs.double())).detach()
    positions = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    last = (positions * mask).argmax(dim=1)
    on_last = F.one_hot(last, mask.shape[1]).bool() & mask
    return torch.where(mask, penalty + torch.where(on_last, scores.detach()[:, None].double(), 0.0), 0.0).float()


def gae(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    rewards, values = rewards.detach().double(), values.detach().double()
    padded = F.pad(values, (0, 1))
    running, found = 0.0, []
    for t in range(rewards.shape[1])[::-1]:
        running = rewards[:, t] + gamma * padded[:, t + 1] - padded[:, t] + gamma * lam * running
        found.append(running)
    return torch.stack(found, dim=1).flip(1).float()


def value_loss(values: Tensor, old_values: Tensor, returns: Tensor, clip: float = 0.2) -> Tensor:
    values, old, target = values.double(), old_values.detach().double(), returns.detach().double()
    clipped = values.clamp(old - clip, old + clip)
    return (0.5 * torch.maximum((values - target) ** 2, (clipped - target) ** 2)).float()

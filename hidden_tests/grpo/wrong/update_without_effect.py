"""Never calls step()."""

# %% grpo_update
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
    kept = mask[:, 1:]
    advantages = group_advantages(rewards).flatten()
    with torch.no_grad():
        old_logprobs = token_logprobs(policy, tokens)
        reference_logprobs = token_logprobs(reference, tokens)
    losses = []
    for _ in range(epochs):
        logprobs = token_logprobs(policy, tokens)
        surrogate = clipped_surrogate(logprobs, old_logprobs, advantages, clip)
        kl = kl_estimate(logprobs, reference_logprobs)
        loss = masked_mean(surrogate + beta * kl, kept)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
    return losses

"""Chosen logit minus logsumexp; the loss as softplus; pads the two sides and runs them as one batch."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    logits, labels, mask = logits[:, :-1].float(), labels[:, 1:], mask[:, 1:]
    safe = torch.where(mask, labels, 0)
    picked = torch.take_along_dim(logits, safe[..., None], dim=2)[..., 0]
    return torch.where(mask, picked - logits.logsumexp(dim=2), 0.0).sum(1)


# %% dpo_loss
def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Tensor:
    parts = [policy_chosen, policy_rejected, reference_chosen.detach(), reference_rejected.detach()]
    if any(part.shape != parts[0].shape for part in parts):
        raise ValueError("all four need the same shape")
    h = (parts[0] - parts[1]) - (parts[2] - parts[3])
    # softplus(-x) = -log sigmoid(x), and softplus(x) - softplus(-x) = x
    return torch.mean(F.softplus(-beta * h) + label_smoothing * beta * h)


# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    return beta * policy_logprobs.detach() - beta * reference_logprobs.detach()


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return (chosen_rewards - rejected_rewards > 0).sum() / chosen_rewards.numel()


# %% dpo_step
def dpo_step(policy, reference, batch, optimizer, beta=0.1):
    texts, masks = [batch["chosen"], batch["rejected"]], [batch["chosen_mask"], batch["rejected_mask"]]
    longest = max(text.shape[1] for text in texts)
    tokens = torch.cat([F.pad(text, (0, longest - text.shape[1])) for text in texts])
    mask = torch.cat([F.pad(one, (0, longest - one.shape[1])) for one in masks])
    with torch.no_grad():
        reference_chosen, reference_rejected = sequence_logprobs(reference(tokens), tokens, mask).chunk(2)
    policy_chosen, policy_rejected = sequence_logprobs(policy(tokens), tokens, mask).chunk(2)
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach().item()

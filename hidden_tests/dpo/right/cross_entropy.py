"""Torch's losses: cross_entropy without reduction, and binary cross-entropy, whose soft label is the smoothing."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    targets = torch.where(mask, labels, -100)[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].float().transpose(1, 2), targets, ignore_index=-100, reduction="none")
    return -losses.sum(dim=1)


# %% dpo_loss
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=0.1, label_smoothing=0.0):
    if not policy_chosen.shape == policy_rejected.shape == reference_chosen.shape == reference_rejected.shape:
        raise ValueError("shapes differ")
    with torch.no_grad():
        reference_margin = reference_chosen - reference_rejected
    scaled = beta * (policy_chosen - policy_rejected - reference_margin)
    return F.binary_cross_entropy_with_logits(scaled, torch.full_like(scaled, 1 - label_smoothing))


# %% implicit_rewards
@torch.no_grad()
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    return torch.sub(policy_logprobs, reference_logprobs).mul(beta)


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return torch.gt(chosen_rewards, rejected_rewards).to(torch.float32).mean()


# %% dpo_step
def dpo_step(policy, reference, batch, optimizer, beta=0.1):
    optimizer.zero_grad(set_to_none=False)
    logprobs = {}
    for name, model in (("policy", policy), ("reference", reference)):
        for side in ("chosen", "rejected"):
            found = sequence_logprobs(logits=model(batch[side]), labels=batch[side], mask=batch[side + "_mask"])
            logprobs[name + "_" + side] = found if name == "policy" else found.detach()
    loss = dpo_loss(beta=beta, **logprobs)
    loss.backward()
    optimizer.step()
    return float(loss)

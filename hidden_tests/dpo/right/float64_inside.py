"""Computes in float64 and returns float32; the step writes the loss itself."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    batch, seq, _ = logits.shape
    logprobs = logits.double().log_softmax(-1)
    labels = labels.clone()
    labels[~mask] = 0
    rows = torch.arange(batch, device=logits.device).unsqueeze(1)
    columns = torch.arange(seq - 1, device=logits.device).unsqueeze(0)
    picked = logprobs[rows, columns, labels[:, 1:]]
    return torch.where(mask[:, 1:], picked, picked.new_zeros(())).sum(-1).float()


# %% dpo_loss
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=0.1, label_smoothing=0.0):
    if {policy_chosen.shape, policy_rejected.shape, reference_chosen.shape} != {reference_rejected.shape}:
        raise ValueError("one shape, please")
    chosen = implicit(policy_chosen, reference_chosen, beta)
    rejected = implicit(policy_rejected, reference_rejected, beta)
    difference = chosen - rejected
    right, wrong = F.logsigmoid(difference), F.logsigmoid(-difference)
    return -torch.lerp(right, wrong, label_smoothing).mean().float()


def implicit(policy, reference, beta):
    return beta * (policy.double() - reference.detach().double())


# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    return (beta * (policy_logprobs.double() - reference_logprobs.double())).float().detach()


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return (chosen_rewards > rejected_rewards).double().mean().float()


# %% dpo_step
def dpo_step(policy, reference, batch, optimizer, beta=0.1):
    margin = 0.0
    for side, sign in (("chosen", 1), ("rejected", -1)):
        text, mask = batch[side], batch[side + "_mask"]
        with torch.no_grad():
            constant = sequence_logprobs(reference(text), text, mask)
        margin = margin + sign * (sequence_logprobs(policy(text), text, mask) - constant)
    loss = F.softplus(-beta * margin).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

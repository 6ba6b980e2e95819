"""Picks the labels with a one-hot mask; writes log sigmoid with logaddexp; hands gradients to the optimizer itself."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    batch, seq, vocab = logits.shape
    logprobs = torch.log_softmax(logits.to(torch.float32), dim=-1)
    vocabulary = torch.arange(vocab, device=logits.device)
    picked = (labels[:, 1:, None] == vocabulary) & mask[:, 1:, None]
    return torch.where(picked, logprobs[:, : seq - 1], torch.zeros((), device=logits.device)).flatten(1).sum(-1)


# %% dpo_loss
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=0.1, label_smoothing=0.0):
    stacked = [policy_chosen, policy_rejected, reference_chosen.data, reference_rejected.data]
    if len({tuple(part.shape) for part in stacked}) != 1:
        raise ValueError("unequal shapes")
    scaled = beta * ((stacked[0] - stacked[2]) - (stacked[1] - stacked[3]))
    zero = torch.zeros_like(scaled)
    as_labelled, swapped = torch.logaddexp(zero, -scaled), torch.logaddexp(zero, scaled)
    return ((1 - label_smoothing) * as_labelled + label_smoothing * swapped).sum() / scaled.numel()


# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    with torch.no_grad():
        return (policy_logprobs - reference_logprobs) * beta


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    return torch.where(chosen_rewards > rejected_rewards, 1.0, 0.0).mean()


# %% dpo_step
def dpo_step(policy, reference, batch, optimizer, beta=0.1):
    chosen, rejected = batch["chosen"], batch["rejected"]
    policy_chosen = sequence_logprobs(policy(chosen), chosen, batch["chosen_mask"])
    policy_rejected = sequence_logprobs(policy(rejected), rejected, batch["rejected_mask"])
    with torch.inference_mode():
        reference_chosen = sequence_logprobs(reference(chosen), chosen, batch["chosen_mask"])
        reference_rejected = sequence_logprobs(reference(rejected), rejected, batch["rejected_mask"])
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen.clone(), reference_rejected.clone(), beta)
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
        parameter.grad = gradient
    optimizer.step()
    return loss.item()

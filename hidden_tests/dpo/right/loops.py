"""Python loops over texts, positions and pairs."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    totals = []
    for row, label, keep in zip(logits.float(), labels, mask):
        total = row.sum() * 0 if bool(row.isfinite().all()) else row.new_zeros(())
        for t in range(len(label) - 1):
            if keep[t + 1]:
                total = total + torch.log_softmax(row[t], 0)[label[t + 1]]
        totals.append(total)
    return torch.stack(totals)


# %% dpo_loss
def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=0.1, label_smoothing=0.0):
    shape = policy_chosen.shape
    for other in (policy_rejected, reference_chosen, reference_rejected):
        if other.shape != shape:
            raise ValueError(f"{other.shape} is not {shape}")
    total = 0.0
    for pc, pr, rc, rr in zip(policy_chosen, policy_rejected, reference_chosen.detach(), reference_rejected.detach()):
        h = beta * ((pc - rc) - (pr - rr))
        total = total - (1 - label_smoothing) * F.logsigmoid(h) - label_smoothing * F.logsigmoid(-h)
    return total / len(policy_chosen)


# %% implicit_rewards
def implicit_rewards(policy_logprobs: Tensor, reference_logprobs: Tensor, beta: float = 0.1) -> Tensor:
    pairs = zip(policy_logprobs.tolist(), reference_logprobs.tolist())
    return torch.tensor([beta * (policy - reference) for policy, reference in pairs])


def preference_accuracy(chosen_rewards: Tensor, rejected_rewards: Tensor) -> Tensor:
    right = sum(1 for chosen, rejected in zip(chosen_rewards, rejected_rewards) if chosen > rejected)
    return torch.tensor(right / len(chosen_rewards))


# %% dpo_step
def dpo_step(policy, reference, batch, optimizer, beta=0.1):
    def logprobs(model):
        return [sequence_logprobs(model(batch[s]), batch[s], batch[s + "_mask"]) for s in ("chosen", "rejected")]

    reference_logprobs = [part.detach() for part in logprobs(reference)]
    loss = dpo_loss(*logprobs(policy), *reference_logprobs, beta)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()

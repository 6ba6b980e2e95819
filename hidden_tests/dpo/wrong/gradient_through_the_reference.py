"""Writes the loss itself and runs the reference with gradient."""

# %% dpo_step
def dpo_step(
    policy: nn.Module,
    reference: nn.Module,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    beta: float = 0.1,
) -> float:
    chosen, chosen_mask = batch["chosen"], batch["chosen_mask"]
    rejected, rejected_mask = batch["rejected"], batch["rejected_mask"]
    policy_chosen = sequence_logprobs(policy(chosen), chosen, chosen_mask)
    policy_rejected = sequence_logprobs(policy(rejected), rejected, rejected_mask)
    reference_chosen = sequence_logprobs(reference(chosen), chosen, chosen_mask)
    reference_rejected = sequence_logprobs(reference(rejected), rejected, rejected_mask)
    loss = -F.logsigmoid(beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

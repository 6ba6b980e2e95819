"""Returns the loss with its graph."""

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
    with torch.no_grad():
        reference_chosen = sequence_logprobs(reference(chosen), chosen, chosen_mask)
        reference_rejected = sequence_logprobs(reference(rejected), rejected, rejected_mask)
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

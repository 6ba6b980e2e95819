"""Concatenates the two sides, which may differ in length."""

# %% dpo_step
def dpo_step(
    policy: nn.Module,
    reference: nn.Module,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    beta: float = 0.1,
) -> float:
    tokens = torch.cat([batch["chosen"], batch["rejected"]])
    mask = torch.cat([batch["chosen_mask"], batch["rejected_mask"]])
    policy_chosen, policy_rejected = sequence_logprobs(policy(tokens), tokens, mask).chunk(2)
    with torch.no_grad():
        reference_chosen, reference_rejected = sequence_logprobs(reference(tokens), tokens, mask).chunk(2)
    loss = dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta=beta)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

"""Subtracts the wrong reference from each."""

# %% dpo_loss
def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> Tensor:
    shapes = {part.shape for part in (policy_chosen, policy_rejected, reference_chosen, reference_rejected)}
    if len(shapes) > 1:
        raise ValueError(f"the four log-probabilities must have one shape, not {shapes}")
    chosen = policy_chosen - reference_rejected.detach()
    rejected = policy_rejected - reference_chosen.detach()
    scaled = beta * (chosen - rejected)
    losses = -(1 - label_smoothing) * F.logsigmoid(scaled) - label_smoothing * F.logsigmoid(-scaled)
    return losses.mean()

"""Subtracts the reference from the policy."""

# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    d = logprobs - reference_logprobs.detach()
    return torch.exp(d) - d - 1


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    kept = values.masked_fill(~mask, 0.0)
    return kept.sum() / mask.sum().clamp(min=1)

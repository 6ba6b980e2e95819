"""Averages each response first."""

# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    d = reference_logprobs.detach() - logprobs
    return torch.exp(d) - d - 1


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    kept = values.masked_fill(~mask, 0.0)
    return (kept.sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)).mean()

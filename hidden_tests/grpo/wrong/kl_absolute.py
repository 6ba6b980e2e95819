"""The absolute log-ratio."""

# %% kl_and_mean
def kl_estimate(logprobs: Tensor, reference_logprobs: Tensor) -> Tensor:
    d = reference_logprobs.detach() - logprobs
    return d.abs()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    kept = values.masked_fill(~mask, 0.0)
    return kept.sum() / mask.sum().clamp(min=1)

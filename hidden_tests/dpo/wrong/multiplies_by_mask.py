"""Multiplies by the mask, so that a ruled-out token gives nan."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    targets = labels[:, 1:].clamp(min=0)
    logprobs = logits[:, :-1].float().log_softmax(dim=-1)
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (per_token * mask[:, 1:]).sum(dim=-1)

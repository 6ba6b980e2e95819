"""Compares the logits with the token that was just read."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    kept = mask
    targets = labels.masked_fill(~kept, 0)
    logprobs = logits.float().log_softmax(dim=-1)
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return per_token.masked_fill(~kept, 0.0).sum(dim=-1)

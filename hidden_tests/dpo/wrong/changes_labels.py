"""Overwrites the masked labels of the caller."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    kept = mask[:, 1:]
    labels[:, 1:][~kept] = 0
    targets = labels[:, 1:]
    logprobs = logits[:, :-1].float().log_softmax(dim=-1)
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return per_token.masked_fill(~kept, 0.0).sum(dim=-1)

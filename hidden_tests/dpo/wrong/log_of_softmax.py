"""Takes the logarithm of an underflowed probability."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    kept = mask[:, 1:]
    targets = labels[:, 1:].masked_fill(~kept, 0)
    logprobs = logits[:, :-1].float().softmax(dim=-1).log()
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return per_token.masked_fill(~kept, 0.0).sum(dim=-1)

"""Returns a single 0 if nothing is kept."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    kept = mask[:, 1:]
    if not kept.any():
        return logits.float().sum() * 0
    targets = labels[:, 1:].masked_fill(~kept, 0)
    logprobs = logits[:, :-1].float().log_softmax(dim=-1)
    per_token = logprobs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return per_token.masked_fill(~kept, 0.0).sum(dim=-1)

"""Stacks one tensor per prediction, and there may be none."""

# %% sequence_logprobs
def sequence_logprobs(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    logprobs = logits.float().log_softmax(dim=-1)
    targets = labels.masked_fill(~mask, 0)
    rows = torch.arange(len(labels), device=labels.device)
    steps = [logprobs[rows, t, targets[:, t + 1]].masked_fill(~mask[:, t + 1], 0.0) for t in range(labels.shape[1] - 1)]
    return torch.stack(steps).sum(dim=0)

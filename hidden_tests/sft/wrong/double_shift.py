"""Shifts twice."""

# %% sft_loss
def sft_loss(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    guesses, targets = logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(guesses, targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)

"""Probabilities are given to cross_entropy."""

# %% sft_loss
def sft_loss(logits, labels):
    guesses, targets = logits[:, :-1].float().softmax(dim=-1).flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(guesses, targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)

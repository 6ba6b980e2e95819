"""The sum."""

# %% sft_loss
def sft_loss(logits, labels):
    guesses, targets = logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten()
    return F.cross_entropy(guesses, targets, ignore_index=-100, reduction="sum")

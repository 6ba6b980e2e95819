"""The mean over no tokens is nan."""

# %% sft_loss
def sft_loss(logits, labels):
    return F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)

"""Rolls the labels, so the first label comes last."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels.roll(-1, dims=1).flatten()
    total = F.cross_entropy(logits.float().flatten(0, 1), targets, ignore_index=-100, reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)

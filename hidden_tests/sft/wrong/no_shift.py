"""Compares logits and labels at the same position."""

# %% sft_loss
def sft_loss(logits, labels):
    total = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)

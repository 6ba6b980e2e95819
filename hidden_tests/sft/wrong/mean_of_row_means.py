"""A mean for each row, then their mean."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels[:, 1:]
    losses = F.cross_entropy(logits[:, :-1].float().mT, targets, ignore_index=-100, reduction="none")
    return (losses.sum(dim=1) / (targets != -100).sum(dim=1).clamp(min=1)).mean()

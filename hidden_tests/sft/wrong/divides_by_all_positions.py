"""The mean also counts what is ignored."""

# %% sft_loss
def sft_loss(logits, labels):
    losses = F.cross_entropy(logits[:, :-1].float().mT, labels[:, 1:], ignore_index=-100, reduction="none")
    return losses.sum() / max(losses.numel(), 1)

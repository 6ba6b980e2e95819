"""Selects with a one-hot product."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels[:, 1:]
    keep = targets != -100
    hot = F.one_hot(targets.clamp(min=0), logits.shape[-1])
    losses = -(logits[:, :-1].float().log_softmax(dim=-1) * hot).sum(dim=-1)
    return losses[keep].sum() / keep.sum().clamp(min=1)

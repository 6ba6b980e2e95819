"""Computes in the dtype of the logits and casts the loss."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels[:, 1:]
    keep = targets != -100
    log_p = logits[:, :-1].log_softmax(dim=-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -log_p[keep].to(torch.promote_types(logits.dtype, torch.float32)).sum() / keep.sum().clamp(min=1)

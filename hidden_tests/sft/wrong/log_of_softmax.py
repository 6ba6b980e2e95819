"""log(softmax(...))."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels[:, 1:]
    keep = targets != -100
    p = logits[:, :-1].float().softmax(dim=-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return -p[keep].log().sum() / keep.sum().clamp(min=1)

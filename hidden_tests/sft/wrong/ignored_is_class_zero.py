"""-100 becomes token 0, so prompt and padding are in the loss."""

# %% sft_loss
def sft_loss(logits, labels):
    return F.cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].clamp(min=0).flatten())

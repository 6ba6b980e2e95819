"""exp without subtracting the largest logit."""

# %% sft_loss
def sft_loss(logits, labels):
    targets = labels[:, 1:]
    keep = targets != -100
    wide = logits[:, :-1].float()
    chosen = wide.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (wide.exp().sum(dim=-1).log() - chosen)[keep].sum() / keep.sum().clamp(min=1)

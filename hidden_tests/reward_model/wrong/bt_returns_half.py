"""Casts back."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.float() - rejected.float() - margin
    return -F.logsigmoid(x).mean().to(chosen.dtype)

"""The probability of being wrong."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.float() - rejected.float() - margin
    return (1 - torch.sigmoid(x)).mean()

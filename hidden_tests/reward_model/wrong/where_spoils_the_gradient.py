"""Takes another formula where log(sigmoid(x)) fails, but its gradient of 0 times infinity stays."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.float() - rejected.float() - margin
    return -torch.where(x > -30, torch.log(torch.sigmoid(x)), x).mean()

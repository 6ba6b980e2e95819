"""log(sigmoid(x) + 1e-8)."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.float() - rejected.float() - margin
    return -torch.log(torch.sigmoid(x) + 1e-8).mean()

"""The pairs of a batch compete."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    x = chosen.float() - rejected.float() - margin
    return -F.log_softmax(x, dim=0).mean()

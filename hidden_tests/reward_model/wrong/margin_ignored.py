"""No margin."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    return -F.logsigmoid(chosen.float() - rejected.float()).mean()

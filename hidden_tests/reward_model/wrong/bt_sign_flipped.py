"""Rejected minus chosen."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    return -F.logsigmoid(rejected.float() - chosen.float() - margin).mean()

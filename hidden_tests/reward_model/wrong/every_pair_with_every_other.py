"""(n, 1) against (n,)."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    return -F.logsigmoid(chosen.float().unsqueeze(1) - rejected.float() - margin).mean()

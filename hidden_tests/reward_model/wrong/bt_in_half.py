"""Subtracts before casting."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    return -F.logsigmoid((chosen - rejected - margin).to(torch.promote_types(chosen.dtype, torch.float32))).mean()

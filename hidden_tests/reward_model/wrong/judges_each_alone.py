"""Chosen is labelled 1, rejected 0."""

# %% bradley_terry_loss
def bradley_terry_loss(chosen, rejected, margin=0.0):
    return -(F.logsigmoid(chosen.float() - margin) + F.logsigmoid(-rejected.float())).mean()

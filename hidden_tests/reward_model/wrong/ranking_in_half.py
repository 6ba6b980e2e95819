"""Subtracts before casting."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    return (margin - (chosen - rejected)).float().clamp(min=0).mean()

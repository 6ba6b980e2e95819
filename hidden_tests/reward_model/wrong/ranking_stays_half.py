"""Computes in the dtype of the scores."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    return (margin - (chosen - rejected)).clamp(min=0).mean()

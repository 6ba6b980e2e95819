"""The mean over those that cost."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    lead = chosen.float() - rejected.float()
    cost = (margin - lead).clamp(min=0)
    return cost.sum() / (cost > 0).sum().clamp(min=1)

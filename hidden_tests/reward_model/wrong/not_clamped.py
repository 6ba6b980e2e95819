"""No max."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    lead = chosen.float() - rejected.float()
    return (margin - lead).mean()

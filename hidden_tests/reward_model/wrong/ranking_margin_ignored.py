"""No margin."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    lead = chosen.float() - rejected.float()
    return (-lead).clamp(min=0).mean()

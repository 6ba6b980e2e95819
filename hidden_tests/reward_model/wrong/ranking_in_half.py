"""Subtracts before casting."""

# %% margin_ranking_loss
def margin_ranking_loss(chosen, rejected, margin=1.0):
    return (margin - (chosen - rejected)).to(torch.promote_types(chosen.dtype, torch.float32)).clamp(min=0).mean()

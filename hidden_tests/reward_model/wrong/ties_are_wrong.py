"""Strictly greater."""

# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    difference = chosen - rejected
    longer = (chosen_lengths - rejected_lengths).sign()
    of_longer = (difference.sign() * longer)[longer != 0]
    return {
        "accuracy": (difference > 0).double().mean().item(),
        "mean_margin": difference.mean().item(),
        "longer_wins": (of_longer + 1).mean().item() / 2 if len(of_longer) else 0.5,
    }

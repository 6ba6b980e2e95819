"""Only pairs whose chosen response is longer."""

# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    difference = chosen - rejected
    longer = (chosen_lengths - rejected_lengths).sign()
    of_longer = (difference.sign() * longer)[longer != 0]
    return {
        "accuracy": (difference.sign() + 1).mean().item() / 2,
        "mean_margin": difference.mean().item(),
        "longer_wins": (difference.sign()[longer > 0] + 1).mean().item() / 2 if (longer > 0).any() else 0.5,
    }

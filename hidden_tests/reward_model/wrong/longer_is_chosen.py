"""How often the longer response was chosen."""

# %% sanity_checks
def sanity_checks(chosen, rejected, chosen_lengths, rejected_lengths):
    difference = chosen - rejected
    longer = (chosen_lengths - rejected_lengths).sign()
    of_longer = (difference.sign() * longer)[longer != 0]
    return {
        "accuracy": (difference.sign() + 1).mean().item() / 2,
        "mean_margin": difference.mean().item(),
        "longer_wins": (longer[longer != 0] + 1).double().mean().item() / 2 if (longer != 0).any() else 0.5,
    }

"""mean(x²) − mean(x)²."""

# %% normalise_scores
def normalise_scores(scores, reference, eps=1e-6):
    scores, wide = scores.float(), reference.float()
    variance = (wide.square().mean() - wide.mean().square()).clamp(min=0)
    return (scores - wide.mean()) / (variance.sqrt() + eps)

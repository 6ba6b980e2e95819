"""Returns a number made into a tensor."""

# %% sft_loss
def sft_loss(logits, labels):
    guesses, targets = logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten()
    total = F.cross_entropy(guesses, targets, ignore_index=-100, reduction="sum")
    return torch.tensor((total / (targets != -100).sum().clamp(min=1)).item())

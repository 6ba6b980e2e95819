"""Training: data, losses, the optimizer, the loop, and pretraining on raw text."""

"""Crosses out the later weights and leaves the others as they are."""

# %% by_hand
hand_weights = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2], [1 / 4, 1 / 2, 1 / 4]])
hand_causal_weights = torch.tensor([[1 / 2, 0.0, 0.0], [1 / 4, 1 / 4, 0.0], [1 / 4, 1 / 2, 1 / 4]])
hand_output = torch.tensor([[2.0, 0.0], [1.0, 1.0], [2.0, 4.0]])

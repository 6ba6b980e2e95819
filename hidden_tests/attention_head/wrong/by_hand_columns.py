"""Makes each column of the weights sum to one; the rest is right."""

# %% by_hand
hand_weights = torch.tensor([[2 / 5, 1 / 5, 1 / 6], [2 / 5, 2 / 5, 2 / 3], [1 / 5, 2 / 5, 1 / 6]])
hand_causal_weights = torch.tensor([[1.0, 0.0, 0.0], [1 / 2, 1 / 2, 0.0], [1 / 4, 1 / 2, 1 / 4]])
hand_output = torch.tensor([[4.0, 0.0], [2.0, 2.0], [2.0, 4.0]])

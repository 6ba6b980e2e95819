"""Makes the output with the weights that still see the future."""

# %% by_hand
hand_weights = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2], [1 / 4, 1 / 2, 1 / 4]])
hand_causal_weights = torch.tensor([[1.0, 0.0, 0.0], [1 / 2, 1 / 2, 0.0], [1 / 4, 1 / 2, 1 / 4]])
hand_output = torch.tensor([[3.0, 3.0], [3.0, 5.0], [2.0, 4.0]])

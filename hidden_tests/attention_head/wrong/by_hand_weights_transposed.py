"""Takes the causal weights by columns to make the output."""

# %% by_hand
hand_weights = torch.tensor([[1 / 2, 1 / 4, 1 / 4], [1 / 4, 1 / 4, 1 / 2], [1 / 4, 1 / 2, 1 / 4]])
hand_causal_weights = torch.tensor([[1.0, 0.0, 0.0], [1 / 2, 1 / 2, 0.0], [1 / 4, 1 / 2, 1 / 4]])
hand_output = torch.tensor([[5.0, 4.0], [2.0, 6.0], [1.0, 2.0]])

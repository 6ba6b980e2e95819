"""Forgets to divide the dot products by 2, and goes on correctly from there."""

# %% by_hand
hand_weights = torch.tensor([[2 / 3, 1 / 6, 1 / 6], [1 / 6, 1 / 6, 2 / 3], [1 / 6, 2 / 3, 1 / 6]])
hand_causal_weights = torch.tensor([[1.0, 0.0, 0.0], [1 / 2, 1 / 2, 0.0], [1 / 6, 2 / 3, 1 / 6]])
hand_output = torch.tensor([[4.0, 0.0], [2.0, 2.0], [4 / 3, 4.0]])

"""ReLU."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return torch.relu(x)

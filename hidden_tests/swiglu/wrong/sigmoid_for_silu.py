"""The sigmoid alone."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return torch.sigmoid(x.float()).to(x.dtype)

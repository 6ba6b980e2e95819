"""A factor inside the sigmoid."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return (wide * torch.sigmoid(1.702 * wide)).to(x.dtype)

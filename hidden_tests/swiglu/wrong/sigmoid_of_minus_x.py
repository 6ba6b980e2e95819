"""The wrong sign in the exponential."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return (wide / (1 + torch.exp(wide))).to(x.dtype)

"""exp over exp."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return (wide * torch.exp(wide) / (1 + torch.exp(wide))).to(x.dtype)

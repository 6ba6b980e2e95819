"""tanh for the sigmoid."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return (wide * torch.tanh(wide)).to(x.dtype)

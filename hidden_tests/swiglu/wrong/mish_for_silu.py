"""Mish."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return (wide * torch.tanh(nn.functional.softplus(wide))).to(x.dtype)

"""Works in place."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    result = (wide * torch.sigmoid(wide)).to(x.dtype)
    x.data.copy_(result.detach())
    return result

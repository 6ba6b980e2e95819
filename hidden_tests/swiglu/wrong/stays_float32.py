"""Returns float32."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    return wide * torch.sigmoid(wide)

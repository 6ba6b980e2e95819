"""GELU."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return nn.functional.gelu(x.float()).to(x.dtype)

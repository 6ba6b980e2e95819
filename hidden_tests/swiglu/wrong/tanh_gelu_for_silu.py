"""GELU by tanh."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return nn.functional.gelu(x.float(), approximate="tanh").to(x.dtype)

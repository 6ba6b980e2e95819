"""exp over exp, in the dtype of x."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return x * torch.exp(x) / (1 + torch.exp(x))

"""Computes the variance as mean(x^2) - mean(x)^2."""

# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    mean = wide.mean(dim=-1, keepdim=True)
    variance = wide.square().mean(dim=-1, keepdim=True) - mean.square()
    return ((wide - mean) / torch.sqrt(variance + eps) * weight + bias).to(x.dtype)

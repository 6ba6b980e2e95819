"""Adds eps to the standard deviation."""

# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    centred = wide - wide.mean(dim=-1, keepdim=True)
    root = centred.square().mean(dim=-1, keepdim=True).sqrt()
    return (centred / (root + eps) * weight + bias).to(x.dtype)

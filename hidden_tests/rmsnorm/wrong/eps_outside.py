"""Adds eps to the root instead of the mean square."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    root = wide.square().mean(dim=-1, keepdim=True).sqrt()
    return (wide / (root + eps) * weight).to(x.dtype)

"""Divides by the mean square, without the root."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    mean_square = wide.square().mean(dim=-1, keepdim=True)
    return (wide / (mean_square + eps) * weight).to(x.dtype)

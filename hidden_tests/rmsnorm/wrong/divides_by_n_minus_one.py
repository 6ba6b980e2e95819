"""Divides the sum of squares by n - 1."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    total = wide.square().sum(dim=-1, keepdim=True)
    return (wide * torch.rsqrt(total / (x.shape[-1] - 1) + eps) * weight).to(x.dtype)

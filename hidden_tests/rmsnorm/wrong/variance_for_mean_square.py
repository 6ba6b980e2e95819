"""Divides by the standard deviation."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    variance = wide.var(dim=-1, keepdim=True, unbiased=False)
    return (wide * torch.rsqrt(variance + eps) * weight).to(x.dtype)

"""Sums the squares instead of averaging them."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    total = wide.square().sum(dim=-1, keepdim=True)
    return (wide * torch.rsqrt(total + eps) * weight).to(x.dtype)

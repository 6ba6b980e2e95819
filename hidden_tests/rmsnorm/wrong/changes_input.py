"""Divides x in place."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    inverse = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    result = (wide * inverse * weight).to(x.dtype)
    x.data.mul_(inverse)
    return result

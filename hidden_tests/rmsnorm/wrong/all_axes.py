"""Averages over the whole tensor."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    mean_square = wide.square().mean()
    return (wide * torch.rsqrt(mean_square + eps) * weight).to(x.dtype)

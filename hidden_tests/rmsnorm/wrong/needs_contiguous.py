"""Flattens with view, which fails on a transposed input."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    rows = x.view(-1, x.shape[-1]).float()
    inverse = torch.rsqrt(rows.square().mean(dim=-1, keepdim=True) + eps)
    return (rows * inverse * weight).view(x.shape).to(x.dtype)

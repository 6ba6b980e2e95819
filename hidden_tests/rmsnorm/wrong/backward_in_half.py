"""Squares in half precision."""

# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    wide, up = x, grad_output
    r = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    grad_x = r * up * weight - r**3 * wide * (up * weight * wide).mean(dim=-1, keepdim=True)
    grad_weight = (up * wide * r).reshape(-1, x.shape[-1]).sum(dim=0)
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype)

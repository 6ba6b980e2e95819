"""torch's own norms; the gradient by einsum."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    return nn.functional.rms_norm(x.float(), (x.shape[-1],), weight.float(), eps).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.RMSNorm):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__(d_model, eps=eps)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    return nn.functional.layer_norm(x.float(), (x.shape[-1],), weight.float(), bias.float(), eps).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    x_wide, g = x.float(), grad_output.float()
    inverse = 1 / torch.sqrt(torch.einsum("...i,...i->...", x_wide, x_wide) / x.shape[-1] + eps)
    unit = x_wide * inverse[..., None]
    along = torch.einsum("...i,...i,i->...", g, unit, weight.float()) / x.shape[-1]
    grad_x = (g * weight - unit * along[..., None]) * inverse[..., None]
    return grad_x.to(x.dtype), torch.einsum("...i,...i->i", g, unit).to(weight.dtype)

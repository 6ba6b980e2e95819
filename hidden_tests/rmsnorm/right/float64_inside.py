"""Computes in float64 and divides by a square root."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.double()
    return (wide / torch.sqrt(torch.mean(wide**2, -1, True) + eps) * weight.double()).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = float(eps)
        self.weight = nn.Parameter(torch.ones(d_model), requires_grad=True)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.double()
        return (wide / torch.sqrt((wide**2).mean(-1, keepdim=True) + self.eps) * self.weight).to(x.dtype)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.double()
    root = torch.sqrt(wide.var(-1, correction=0, keepdim=True) + eps)
    return ((wide - wide.mean(-1, keepdim=True)) / root * weight.double() + bias.double()).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    wide, up = x.double(), grad_output.double()
    root = torch.sqrt((wide**2).mean(-1, keepdim=True) + eps)
    u = up * weight.double()
    grad_x = u / root - wide * (u * wide).mean(-1, keepdim=True) / root**3
    leading = tuple(range(x.dim() - 1))
    grad_weight = up * wide / root
    return grad_x.to(x.dtype), (grad_weight.sum(leading) if leading else grad_weight).to(weight.dtype)

"""Every mean is an einsum."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.float()
    mean_square = torch.einsum("...i,...i->...", wide, wide) / x.shape[-1]
    return torch.einsum("...i,...,i->...i", wide, (mean_square + eps).pow(-0.5), weight.float()).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.register_parameter("weight", nn.Parameter(torch.full((d_model,), 1.0)))
        self.epsilon = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, eps=self.epsilon)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.float()
    ones = torch.ones_like(wide)
    centred = wide - torch.einsum("...i,...i->...", wide, ones).unsqueeze(-1) / x.shape[-1]
    variance = torch.einsum("...i,...i->...", centred, centred) / x.shape[-1]
    scaled = torch.einsum("...i,...,i->...i", centred, (variance + eps).pow(-0.5), weight.float())
    return (scaled + bias).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    wide, up, scale = x.float(), grad_output.float(), weight.float()
    r = (torch.einsum("...i,...i->...", wide, wide) / x.shape[-1] + eps).pow(-0.5)
    along = torch.einsum("...i,i,...i,...->...", up, scale, wide, r.pow(3)) / x.shape[-1]
    grad_x = torch.einsum("...i,i,...->...i", up, scale, r) - torch.einsum("...i,...->...i", wide, along)
    return grad_x.to(x.dtype), torch.einsum("...i,...i,...->i", up, wide, r).to(weight.dtype)

"""The length of each vector, divided by the root of n."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    wide = x.to(torch.float32)
    rms = torch.linalg.vector_norm(wide, dim=-1, keepdim=True) / x.size(-1) ** 0.5
    return ((wide / (rms**2 + eps).sqrt()) * weight).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.empty(d_model))
        nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        return rms_norm(x, weight, self.eps)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    wide = x.to(torch.float32)
    centred = wide.sub(wide.mean(-1, keepdim=True))
    deviation = torch.linalg.vector_norm(centred, dim=-1, keepdim=True) / x.size(-1) ** 0.5
    return torch.addcmul(bias.float(), centred / (deviation**2 + eps).sqrt(), weight.float()).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    wide, up = x.to(torch.float32), grad_output.to(torch.float32)
    n = x.size(-1)
    root = (torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square() / n + eps).sqrt()
    normal, u = wide / root, up * weight
    grad_x = (u - normal * (u * normal).sum(-1, keepdim=True) / n) / root
    grad_weight = up * normal if x.dim() == 1 else (up * normal).flatten(0, -2).sum(0)
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype)

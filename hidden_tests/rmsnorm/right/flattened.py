"""Flattens the leading axes; the gradient through explicit Jacobians."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    rows = x.float().flatten(0, -2) if x.dim() > 1 else x.float()[None]
    mean_square = rows.mul(rows).mean(1, keepdim=True)
    return rows.mul(mean_square.add(eps).rsqrt()).mul(weight).reshape_as(x).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        weight = torch.ones(d_model)
        self.weight = nn.Parameter(weight)
        self.forward_eps = eps

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        return rms_norm(rows, self.weight, self.forward_eps).reshape(x.shape)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    rows = x.float().flatten(0, -2) if x.dim() > 1 else x.float()[None]
    variance, mean = torch.var_mean(rows, dim=1, correction=0, keepdim=True)
    return ((rows - mean) / torch.sqrt(variance + eps) * weight + bias).reshape(x.shape).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    n = x.shape[-1]
    rows, up = x.float().reshape(-1, n), grad_output.float().reshape(-1, n)
    r = torch.rsqrt(rows.square().mean(1, keepdim=True) + eps)
    identity = torch.eye(n, device=x.device)
    jacobian = r[:, :, None] * identity - (r**3)[:, :, None] * rows[:, :, None] * rows[:, None, :] / n
    grad_x = torch.matmul((up * weight.float())[:, None, :], jacobian)[:, 0]
    grad_weight = torch.diagonal(up.T @ (rows * r))
    return grad_x.reshape(x.shape).to(x.dtype), grad_weight.to(weight.dtype)

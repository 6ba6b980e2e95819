"""Python loops over the vectors, one at a time."""

# %% rms_norm
def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        row = row.float()
        mean_square = (row * row).sum() / len(row)
        rows.append(row / (mean_square + eps) ** 0.5 * weight)
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


# %% rms_norm_module
class RMSNorm(nn.Module):
    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0] * d_model))
        self.options = {"eps": eps}

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, **self.options)


# %% layer_norm
def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        row = row.float()
        row = row - row.sum() / len(row)
        variance = (row * row).sum() / len(row)
        rows.append(row / (variance + eps) ** 0.5 * weight + bias)
    return torch.stack(rows).reshape(x.shape).to(x.dtype)


# %% rms_norm_backward
def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    rows, grad_weight = [], torch.zeros(x.shape[-1], device=x.device)
    for up, row in zip(grad_output.reshape(-1, x.shape[-1]), x.reshape(-1, x.shape[-1])):
        up, row = up.float(), row.float()
        root = ((row * row).sum() / len(row) + eps) ** 0.5
        grad_weight = grad_weight + up * row / root
        rows.append(up * weight / root - row * (up * weight * row).sum() / (len(row) * root**3))
    return torch.stack(rows).reshape(x.shape).to(x.dtype), grad_weight.to(weight.dtype)

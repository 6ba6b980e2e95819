"""Loops over entries and channels."""

# %% silu
def silu(x: Tensor) -> Tensor:
    entries = [(entry.float() * torch.sigmoid(entry.float())).to(x.dtype) for entry in x.reshape(-1).unbind()]
    return torch.stack(entries).reshape(x.shape)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for channel in range(self.up.out_features):
            z = (x * self.up.weight[channel]).sum(dim=-1, keepdim=True)
            active = z * (1 + torch.erf(z / 2**0.5)) / 2
            total = total + active * self.down.weight[:, channel]
        return total


# %% swiglu
class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x)
        for gate, up, down in zip(self.gate.weight, self.up.weight, self.down.weight.T):
            channel = silu((x * gate).sum(dim=-1, keepdim=True)) * (x * up).sum(dim=-1, keepdim=True)
            total = total + channel * down
        return total


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    return next(width for width in range(0, 4 * d_model + multiple_of + 1, multiple_of) if 3 * width >= 8 * d_model)


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    def count(*shapes: tuple[int, int]) -> int:
        return sum(rows * columns for rows, columns in shapes)

    wide, narrow = 4 * d_model, swiglu_width(d_model, multiple_of)
    return count((wide, d_model), (d_model, wide)), count(*2 * [(narrow, d_model)], (d_model, narrow))


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    grad_gate, grad_up = torch.empty_like(gate), torch.empty_like(up)
    flat = zip(grad_hidden.flatten().tolist(), gate.flatten().tolist(), up.flatten().tolist())
    for index, (g, z, u) in enumerate(flat):
        small = math.exp(-abs(z))
        s = 1 / (1 + small) if z >= 0 else small / (1 + small)
        grad_gate.view(-1)[index] = g * u * (s + z * small / (1 + small) ** 2)
        grad_up.view(-1)[index] = g * z * s
    return grad_gate, grad_up

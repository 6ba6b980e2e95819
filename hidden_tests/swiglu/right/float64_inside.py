"""Computes in float64, with exponentials that never overflow."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.double()
    return (wide * torch.exp(nn.functional.logsigmoid(wide))).to(x.dtype)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.double() @ self.up.weight.double().T
        active = 0.5 * wide * torch.erfc(-wide / math.sqrt(2))
        return (active @ self.down.weight.double().T).to(x.dtype)


# %% swiglu
class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = x.double() @ self.gate.weight.double().T, x.double() @ self.up.weight.double().T
        return (gate * torch.sigmoid(gate) * up @ self.down.weight.double().T).to(x.dtype)


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    width = multiple_of
    while 3 * width < 8 * d_model:
        width += multiple_of
    return width


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    gelu = d_model * 4 * d_model + 4 * d_model * d_model
    width = swiglu_width(d_model, multiple_of)
    return gelu, width * d_model + width * d_model + d_model * width


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    g, z, u = grad_hidden.double(), gate.double(), up.double()
    s, t = torch.sigmoid(z), torch.sigmoid(-z)
    return (g * u * s * (1 + z * t)).to(gate.dtype), (g * z * s).to(up.dtype)

"""Leaves half precision to torch's own kernels, which compute in float32 inside; parameters by hand."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return nn.functional.silu(x)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return nn.Sequential(self.up, nn.GELU(), self.down)(x)


# %% swiglu
class Matrix(nn.Module):
    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outside, inside) / inside**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.mT


class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate, self.up, self.down = Matrix(d_model, d_ff), Matrix(d_model, d_ff), Matrix(d_ff, d_model)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up(x)
        return self.down(hidden * silu(self.gate(x)))


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    return math.ceil(8 * d_model / 3 / multiple_of) * multiple_of


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    return d_model * 4 * d_model * 2, d_model * swiglu_width(d_model, multiple_of) * 3


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    slope = torch.ops.aten.silu_backward(torch.ones_like(gate.float()), gate.float())
    return (grad_hidden.float() * up * slope).to(gate.dtype), (grad_hidden.float() * silu(gate.float())).to(up.dtype)

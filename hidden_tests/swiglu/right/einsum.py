"""Weights as plain matrices in einsum; the rule in fractions."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.to(torch.float32)
    return wide.sigmoid().mul(wide).to(x.dtype)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.einsum("...d,fd->...f", x, self.up.weight)
        return torch.einsum("...f,df->...d", wide * torch.special.ndtr(wide), self.down.weight)


# %% swiglu
class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.einsum("...d,fd->...f", x, self.gate.weight)
        up = torch.einsum("...d,fd->...f", x, self.up.weight)
        return torch.einsum("...f,...f,df->...d", silu(gate), up, self.down.weight)


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    from fractions import Fraction

    return math.ceil(Fraction(8 * d_model, 3 * multiple_of)) * multiple_of


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    return 8 * d_model**2, 3 * d_model * swiglu_width(d_model, multiple_of=multiple_of)


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    z, g, u = gate.float(), grad_hidden.float(), up.float()
    s = z.sigmoid()
    value = z * s
    grad_gate = torch.einsum("...,...,...->...", g, u, value + s * (1 - value))
    return grad_gate.to(gate.dtype), (g * value).to(up.dtype)

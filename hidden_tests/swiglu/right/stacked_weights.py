"""Gate and up in one matrix product, then cut in two; weights go through functional.linear."""

# %% silu
def silu(x: Tensor) -> Tensor:
    wide = x.float()
    small = torch.exp(-wide.abs())
    return (wide * torch.where(wide >= 0, torch.ones_like(small), small) / (1 + small)).to(x.dtype)


# %% gelu_mlp
class GeluMLP(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = nn.functional.linear(x, self.up.weight)
        normal = torch.distributions.Normal(torch.zeros((), device=x.device), torch.ones((), device=x.device))
        return nn.functional.linear(wide * normal.cdf(wide), self.down.weight)


# %% swiglu
class SwiGLU(nn.Module):
    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        layers = {"gate": (d_model, d_ff), "up": (d_model, d_ff), "down": (d_ff, d_model)}
        for name, (inside, outside) in layers.items():
            self.add_module(name, nn.Linear(inside, outside, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        both = nn.functional.linear(x, torch.cat([self.gate.weight, self.up.weight]))
        gate, up = both.chunk(2, dim=-1)
        return nn.functional.linear(silu(gate).mul(up), self.down.weight)


# %% swiglu_width
def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    whole, rest = divmod(8 * d_model, 3 * multiple_of)
    return (whole + (rest > 0)) * multiple_of


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    with torch.device("meta"):
        blocks = GeluMLP(d_model, 4 * d_model), SwiGLU(d_model, swiglu_width(d_model, multiple_of))
    return tuple(sum(weight.numel() for weight in block.state_dict().values()) for block in blocks)


# %% swiglu_backward
def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    z = gate.to(torch.float32)
    s = torch.sigmoid(z)
    grad_silu = grad_hidden * up.float()
    through_z, through_s = grad_silu * s, grad_silu * z * s * (1 - s)
    return (through_z + through_s).to(gate.dtype), (grad_hidden * silu(z)).to(up.dtype)

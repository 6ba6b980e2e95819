"""The MLPs of a transformer block: GELU as in GPT-2, SwiGLU as in Llama. Grades the assignment `swiglu`.

SwiGLU after Shazeer, GLU Variants Improve Transformer (2020), equation 6, with SiLU (Swish with beta 1; Elfwing et al.,
2017). Conventions: no biases; GELU is the exact one, x·Φ(x) by erf (Hendrycks and Gimpel, 2016), not the tanh
approximation; elementwise functions compute half precision in float32 and cast back; float64 stays float64.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reference_impl.model.dtypes import upcast

__all__ = [
    "GeluMLP",
    "SwiGLU",
    "gelu",
    "gelu_mlp",
    "mlp_parameters",
    "silu",
    "swiglu",
    "swiglu_backward",
    "swiglu_width",
]


def silu(x: Tensor) -> Tensor:
    """`x · sigmoid(x)` for each entry; any shape, in the dtype of `x`. Finite for every finite x."""
    wide = upcast(x)
    return (wide * torch.sigmoid(wide)).to(x.dtype)


def gelu(x: Tensor) -> Tensor:
    """`x · Φ(x)` for each entry, Φ the distribution function of the standard normal; in the dtype of `x`."""
    wide = upcast(x)
    return (wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))).to(x.dtype)


def gelu_mlp(x: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """x: (..., d_model), up: (d_ff, d_model), down: (d_model, d_ff) -> (..., d_model)"""
    return gelu(x @ up.mT) @ down.mT


def swiglu(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """x: (..., d_model), gate, up: (d_ff, d_model), down: (d_model, d_ff) -> (..., d_model)"""
    return (silu(x @ gate.mT) * (x @ up.mT)) @ down.mT


class GeluMLP(nn.Module):
    """`gelu_mlp` with learnable weights; GPT-2's has biases and the tanh approximation of GELU."""

    def __init__(
        self, d_model: int, d_ff: int, *, bias: bool = False, approximate: Literal["none", "tanh"] = "none"
    ) -> None:
        super().__init__()
        self.up = nn.Linear(d_model, d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x), approximate=self.approximate))


class SwiGLU(nn.Module):
    """`swiglu` with learnable weights, named as in Llama's `gate_proj`, `up_proj` and `down_proj`."""

    def __init__(self, d_model: int, d_ff: int) -> None:
        super().__init__()
        self.gate = nn.Linear(d_model, d_ff, bias=False)
        self.up = nn.Linear(d_model, d_ff, bias=False)
        self.down = nn.Linear(d_ff, d_model, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


def swiglu_width(d_model: int, multiple_of: int = 256) -> int:
    """The smallest multiple of `multiple_of` that is at least 8 · d_model / 3.

    Three matrices of that width have as many parameters as two of width 4 · d_model. Integers avoid rounding.
    """
    return -(-8 * d_model // (3 * multiple_of)) * multiple_of


def mlp_parameters(d_model: int, multiple_of: int = 256) -> tuple[int, int]:
    """The parameter counts of a GeluMLP of width 4 · d_model and of a SwiGLU of width `swiglu_width`."""
    return 2 * d_model * 4 * d_model, 3 * d_model * swiglu_width(d_model, multiple_of)


def swiglu_backward(grad_hidden: Tensor, gate: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of `silu(gate) · up` with respect to `gate` and `up`; all of one shape, in their dtypes.

    With s = sigmoid(gate): silu'(gate) = s + gate · s · (1 − s).
    """
    upstream, wide = upcast(grad_hidden), upcast(gate)
    sigmoid = torch.sigmoid(wide)
    slope = sigmoid + wide * sigmoid * (1 - sigmoid)
    return (upstream * up * slope).to(gate.dtype), (upstream * wide * sigmoid).to(up.dtype)

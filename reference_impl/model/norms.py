"""RMSNorm with its gradient written out, and LayerNorm for comparison. Grades the assignment `rmsnorm`.

Conventions: statistics run over the last axis; eps is inside the root; half precision is computed in float32 and
cast back to the dtype of `x`; float64 stays float64. RMSNorm after Zhang and Sennrich (2019), as Llama uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reference_impl.model.dtypes import upcast

__all__ = ["RMSNorm", "layer_norm", "rms_norm", "rms_norm_backward"]


def rms_norm(x: Tensor, weight: Tensor, eps: float = 1e-6) -> Tensor:
    """`x / sqrt(mean(x²) + eps) · weight` over the last axis; (..., d_model) → (..., d_model), in the dtype of `x`."""
    wide = upcast(x)
    return (wide * _inverse_rms(wide, eps) * weight).to(x.dtype)


class RMSNorm(nn.Module):
    """`rms_norm` with a learnable weight of shape (d_model,) that starts at one."""

    def __init__(self, d_model: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


def rms_norm_backward(grad_output: Tensor, x: Tensor, weight: Tensor, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """The gradients of `rms_norm` with respect to `x` and `weight`, given the gradient of its output.

    With r = 1 / sqrt(mean(x²) + eps) and u = grad_output · weight:
    grad_x = r · u − r³ · x · mean(u · x), and grad_weight = Σ grad_output · x · r over all leading axes.
    """
    wide, upstream = upcast(x), upcast(grad_output)
    inverse = _inverse_rms(wide, eps)
    scaled = upstream * weight
    through_the_root = inverse**3 * wide * (scaled * wide).mean(dim=-1, keepdim=True)
    per_vector = upstream * wide * inverse
    grad_weight = per_vector.reshape(-1, x.shape[-1]).sum(dim=0)  # (tokens, d_model) -> (d_model,)
    return (inverse * scaled - through_the_root).to(x.dtype), grad_weight.to(weight.dtype)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """`(x − mean) / sqrt(variance + eps) · weight + bias` over the last axis (Ba et al., 2016).

    (..., d_model) -> (..., d_model), in the dtype of `x`; the variance divides by n.
    """
    wide = upcast(x)
    centred = wide - wide.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return (centred * torch.rsqrt(variance + eps) * weight + bias).to(x.dtype)


def _inverse_rms(x: Tensor, eps: float) -> Tensor:
    return torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + eps)

"""Quantization to int8: absmax and zero-point codes, linear layers that store them, and memory estimates.

After Dettmers et al., LLM.int8() (2022), equations 1 to 4. Conventions: round half to even, as torch does; absmax codes
are in [−127, 127] with the scale absmax / 127 (torch.ao's symmetric scale is absmax / 127.5); zero-point codes in
[−128, 127], over a range that is extended to include 0, so that 0 is exact. One scale for the whole tensor, or one for
each index along `axis`. A tensor of zeros has the scale 1.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

__all__ = [
    "Int8Linear", "absmax_quantize", "dequantize", "int8_matmul", "model_bytes", "quantize_linear_layers",
    "training_bytes", "weight_bytes", "zero_point_quantize",
]  # fmt: skip


def absmax_quantize(x: Tensor, axis: int | None = None) -> tuple[Tensor, Tensor]:
    """x: (...) -> codes: (...) of int8, and scale: () or, with `axis`, of size 1 everywhere but along it.

    x ≈ codes · scale, at most scale / 2 away.
    """
    scale = _nonzero(_reduce(x.abs(), "amax", axis) / 127)
    return (x / scale).round().clamp(-127, 127).to(torch.int8), scale


def zero_point_quantize(x: Tensor, axis: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """x: (...) -> codes: (...) of int8, and scale and zero_point (int32), shaped as for `absmax_quantize`.

    x ≈ (codes − zero_point) · scale.
    """
    low = _reduce(x, "amin", axis).clamp(max=0)
    high = _reduce(x, "amax", axis).clamp(min=0)
    scale = _nonzero((high - low) / 255)
    zero_point = (-128 - (low / scale).round()).clamp(-128, 127).to(torch.int32)
    return ((x / scale).round() + zero_point).clamp(-128, 127).to(torch.int8), scale, zero_point


def dequantize(codes: Tensor, scale: Tensor, zero_point: Tensor | int = 0) -> Tensor:
    """codes: (...) of int8 -> (...), in the dtype of `scale`."""
    return (codes.to(scale.dtype) - zero_point) * scale


def int8_matmul(x: Tensor, codes: Tensor, scale: Tensor) -> Tensor:
    """x: (tokens, d_in), codes: (d_out, d_in), scale: (d_out, 1) -> (tokens, d_out), multiplied in integers.

    The vector-wise scheme of LLM.int8(): one scale per row of x and per row of the weight; int8 products are summed in
    int32, and the scales are applied last. Without the paper's separate path for outlier features.
    """
    x_codes, x_scale = absmax_quantize(x, axis=0)
    sums = x_codes.to(torch.int32) @ codes.to(torch.int32).T
    return sums.to(x.dtype) * x_scale * scale.T


class Int8Linear(nn.Module):
    """A linear layer that stores its weight as int8 codes with one scale per output: (..., d_in) -> (..., d_out).

    Only weights are quantised: the codes are converted to the dtype of the activations where they are used.
    """

    codes: Tensor
    """(d_out, d_in)"""
    scale: Tensor
    """(d_out, 1)"""
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        codes, scale = absmax_quantize(linear.weight.detach(), axis=0)
        self.register_buffer("codes", codes)
        self.register_buffer("scale", scale)
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        # Scaling the outputs equals scaling the rows of the weight, with fewer multiplications.
        result = (x @ self.codes.to(x.dtype).T) * self.scale.to(x.dtype).T
        return result if self.bias is None else result + self.bias


def quantize_linear_layers(model: nn.Module, keep: Collection[str] = ()) -> nn.Module:
    """Replaces every linear layer of `model` by an `Int8Linear`, in place; returns `model`.

    Layers whose name ends in one of `keep` stay, and so do those that share their weight with an embedding.
    """
    embedded = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    for name, layer in list(model.named_modules()):
        parent, _, end = name.rpartition(".")
        if isinstance(layer, nn.Linear) and end not in keep and id(layer.weight) not in embedded:
            setattr(model.get_submodule(parent), end, Int8Linear(layer))
    return model


def model_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers; shared ones are counted once."""
    tensors = {id(tensor): tensor for tensor in [*model.parameters(), *model.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def weight_bytes(n_parameters: int, bits: int, group_size: int | None = None, scale_bits: int = 32) -> float:
    """Bytes of `n_parameters` codes of `bits` bits, and of one scale per group of `group_size` codes."""
    scales = 0.0 if group_size is None else n_parameters / group_size * scale_bits
    return (n_parameters * bits + scales) / 8


def training_bytes(n_frozen: int, n_trained: int, frozen_bits: int = 16) -> float:
    """Bytes of weights, gradients and optimizer state for mixed-precision AdamW, without activations.

    A trained parameter costs 16 bytes: weight and gradient in 16 bits, master weight and two moments in 32
    (Rajbhandari et al., ZeRO, 2020, section 3.1); a frozen one costs `frozen_bits`.
    """
    return weight_bytes(n_frozen, frozen_bits) + 16 * n_trained


def _reduce(x: Tensor, reduction: str, axis: int | None) -> Tensor:
    """Over all axes but `axis`, which stays with the others as size 1; over everything to () if it is None."""
    if axis is None:
        return getattr(x, reduction)()
    others = [dim for dim in range(x.dim()) if dim != axis % x.dim()]
    return getattr(x, reduction)(dim=others, keepdim=True)


def _nonzero(scale: Tensor) -> Tensor:
    return torch.where(scale == 0, 1.0, scale)

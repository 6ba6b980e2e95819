"""Low-rank adaptation: train a small adapter for each frozen linear layer.

After Hu et al. (2021), equation 3: W x + (α / r) B A x, with A (r, d_in) random and B (d_out, r) zero at the start, so
that training starts exactly at the pretrained model. Conventions: A is initialised as in loralib and peft (Kaiming
uniform with a = √5); dropout acts on the input of the adapter only; biases and layers without an adapter are frozen.
With an `Int8Linear` as its base this is QLoRA (Dettmers et al., 2023) with int8 instead of 4-bit NormalFloat.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

import torch
from torch import Tensor, nn

from reference_impl.adaptation.quantization import Int8Linear

__all__ = ["LoRALinear", "add_lora", "lora_state", "merge", "parameter_counts", "unmerge"]


class LoRALinear(nn.Module):
    """A frozen linear layer and its adapter of rank r: (..., d_in) -> (..., d_out).

    Raises ValueError for a rank that is not from 1 to min(d_in, d_out).
    """

    def __init__(self, base: nn.Linear | Int8Linear, rank: int, alpha: float, dropout: float = 0.0) -> None:
        super().__init__()
        if not 1 <= rank <= min(base.in_features, base.out_features):
            raise ValueError(f"rank must be from 1 to {min(base.in_features, base.out_features)}, got {rank}")
        self.base = base.requires_grad_(False)
        like = base.scale if isinstance(base, Int8Linear) else base.weight
        self.a = nn.Parameter(torch.empty(rank, base.in_features, dtype=like.dtype, device=like.device))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, dtype=like.dtype, device=like.device))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))
        self.scaling = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.merged = False

    def forward(self, x: Tensor) -> Tensor:
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * (self.dropout(x) @ self.a.T @ self.b.T)

    def delta(self) -> Tensor:
        """(d_out, d_in): the adapter's update of the weight, (α / r) B A."""
        return self.scaling * self.b @ self.a

    @torch.no_grad()
    def apply_delta(self, sign: int) -> None:
        """Adds the update to the base's weight (sign 1), or subtracts it again (sign −1).

        Raises TypeError for an int8 base.
        """
        if isinstance(self.base, Int8Linear):
            raise TypeError("an int8 weight cannot represent a small update: dequantise the base before merging")
        if self.merged != (sign == 1):
            self.base.weight += sign * self.delta()
            self.merged = sign == 1


def add_lora(
    model: nn.Module, targets: Collection[str], rank: int = 8, alpha: float = 16.0, dropout: float = 0.0
) -> nn.Module:
    """Freezes `model` and adds an adapter to each linear layer whose name ends in one of `targets`; returns `model`.

    `targets` are attribute names such as "query". Raises ValueError if one matches no linear layer.
    """
    linear = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear | Int8Linear)}
    ends = {name.rpartition(".")[2] for name in linear}
    if unknown := sorted(set(targets) - ends):
        raise ValueError(f"no linear layer is called {', '.join(unknown)}; there are {', '.join(sorted(ends))}")
    model.requires_grad_(False)
    for name, layer in linear.items():
        parent, _, end = name.rpartition(".")
        if end in targets:
            setattr(model.get_submodule(parent), end, LoRALinear(layer, rank, alpha, dropout))
    return model


def merge(model: nn.Module) -> None:
    """Adds every adapter to its weight: the same function, at the speed of the plain model."""
    for layer in _lora_layers(model):
        layer.apply_delta(1)


def unmerge(model: nn.Module) -> None:
    """Subtracts every adapter from its weight again, up to rounding."""
    for layer in _lora_layers(model):
        layer.apply_delta(-1)


def lora_state(model: nn.Module) -> dict[str, Tensor]:
    """The adapters' weights only, by their names in `model`: the checkpoint of an adaptation."""
    return {name: value for name, value in model.state_dict().items() if name.rpartition(".")[2] in ("a", "b")}


def parameter_counts(model: nn.Module) -> tuple[int, int]:
    """(trainable, all) parameters of the model; an int8 code counts as one, scales are not counted."""
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    quantised = sum(layer.codes.numel() for layer in model.modules() if isinstance(layer, Int8Linear))
    return trainable, quantised + sum(parameter.numel() for parameter in model.parameters())


def _lora_layers(model: nn.Module) -> Iterator[LoRALinear]:
    return (layer for layer in model.modules() if isinstance(layer, LoRALinear))

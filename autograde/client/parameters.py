"""The parameters of a submission's module: which there are, and what a message says if one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch

from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.client.remote_object import RemoteObject

NAMES = "The parameters keep the names of the exercise: they are those of the attributes that __init__ assigns to self."
NOT_TRAINED = "Training changes only parameters: make it an nn.Parameter, or let a layer such as nn.Linear own it."
NONE = "A learnable tensor is an nn.Parameter, or a layer's such as nn.Linear's, assigned to self in __init__."
SHAPE = (
    "nn.Linear(n_in, n_out) keeps its weight as (n_out, n_in); a parameter of your own has the shape that you give it."
)
LISTED = 6


def describe_missing_parameter(layer: RemoteObject, actual: Iterable[str], missing: list[str]) -> Mismatch:
    """The Mismatch that says which parameters `layer` lacks, and what it has instead."""
    actual = list(actual)
    reason = f"the parameter {list_names(missing)} is missing"
    if untrained := [name for name in missing if _is_tensor(layer, name)]:
        return Mismatch(f"`{untrained[0]}` is a plain tensor or a buffer, not a parameter", NOT_TRAINED, is_fact=True)
    if actual:
        return Mismatch(f"{reason}; your module has {list_names(actual)}", NAMES, is_fact=True)
    return Mismatch(f"{reason}; your module has none", NONE, is_fact=True)


def _is_tensor(layer: RemoteObject, name: str) -> bool:
    """Does the module hold a tensor of this name that it does not train?"""
    held: object = layer
    try:
        for part in name.split("."):
            held = getattr(held, part)
    except (StudentError, AttributeError):
        return False
    return isinstance(held, torch.Tensor)


def load_weights(layer: RemoteObject, weights: Mapping[str, torch.Tensor]) -> None:
    """Set these parameters and make all others 0. Mismatch if one is missing or has another shape."""
    actual = layer.named_parameters()
    if any(name not in actual or actual[name].shape != weight.shape for name, weight in weights.items()):
        layer._show_parameters()
    if missing := [name for name in weights if name not in actual]:
        raise describe_missing_parameter(layer, actual, missing)
    for name, weight in weights.items():
        expect_shape(name, actual[name], tuple(weight.shape))
    layer.load_state_dict({name: torch.zeros_like(start) for name, start in actual.items()} | dict(weights))


def expect_shape(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    if not tensor.is_floating_point():
        raise Mismatch(f"`{name}` must hold floating numbers, but yours is {tensor.dtype}", is_fact=True)
    if tuple(tensor.shape) != shape:
        raise Mismatch(f"`{name}` must have shape {shape}, but yours has {tuple(tensor.shape)}", SHAPE, is_fact=True)


def list_names(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(f"`{name[:40]}`" for name in names[:LISTED]) + more

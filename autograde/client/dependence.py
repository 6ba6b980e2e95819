"""Why no gradient arrives: the result is cut off from autograd, or it does not depend on the tensor at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.calls import Target
from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.client.remote_object import RemoteObject

CUT_OFF = "Your computation is cut off from autograd there: by .detach(), .data, .item(), no_grad or a new tensor."
UNUSED = "Your code does not use it, or something else replaces it on the way to the result."


def explain_no_gradient(
    label: str, target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], name: int | str
) -> Mismatch:
    """The Mismatch for a tensor that no gradient reaches: a positional argument, a keyword one, or a parameter."""
    match depends_on(target, args, kwargs, name):
        case True:
            return Mismatch(f"no gradient reaches {label}", CUT_OFF, is_fact=True)
        case False:
            return Mismatch(f"no gradient reaches {label}: the result does not depend on it", UNUSED, is_fact=True)
    return Mismatch(f"no gradient reaches {label}")


def depends_on(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], name: int | str) -> bool | None:
    """Does the result change with this tensor? None if the submission does not take other numbers there."""
    try:
        before = target(*args, **kwargs)
        if isinstance(name, int):
            after = target(*args[:name], _change_numbers(args[name]), *args[name + 1 :], **kwargs)
        elif name in kwargs:
            after = target(*args, **kwargs | {name: _change_numbers(kwargs[name])})
        else:
            assert isinstance(target, RemoteObject)
            after = _call_with_parameter(target, name, lambda: target(*args, **kwargs))
    except StudentError:
        return None
    return not _are_equal(before, after)


def _call_with_parameter(layer: RemoteObject, name: str, call: Callable[[], Any]) -> Any:
    """What `call` gives while the parameter has other values."""
    value = layer.named_parameters()[name]
    layer.load_state_dict({name: _change_numbers(value)})
    try:
        return call()
    finally:
        layer.load_state_dict({name: value})


def _change_numbers(tensor: Tensor) -> Tensor:
    """Other numbers of the same kind, changed differently from place to place."""
    steps = (torch.arange(tensor.numel()) % 5 + 1).to(tensor.dtype).reshape(tensor.shape) / 4
    return 1.5 * tensor.detach() + steps


def _are_equal(one: Any, other: Any) -> bool:
    (mine, structure), (theirs, like) = tree_flatten(one), tree_flatten(other)
    return structure == like and all(map(_is_equal, mine, theirs))


def _is_equal(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and torch.equal(one.nan_to_num(), other.nan_to_num())
    return type(one) is type(other) and (isinstance(one, RemoteObject) or bool(one == other))

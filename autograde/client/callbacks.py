"""Callbacks: functions of the grader that a submission may call, instead of one of its own or as an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from autograde.client.errors import DISTURBED, WorkerLostError
from autograde.exception_names import public_name
from autograde.wire import CallbackId, Handle

MAX_CALLBACKS = 100_000
MAX_ELEMENTS = 1 << 22
"""Numbers in one call to a function of the grader: far more than a check needs, few enough to hold."""


class ObjectReceivedError(Exception):
    """A function of the grader would have to ask the submission, which waits for it."""


class Callbacks:
    """The functions of one example, by number, and their answers to a submission's calls."""

    def __init__(self, from_wire: Callable[[Any], Any]) -> None:
        """`from_wire` makes wire data into what a test expects."""
        self.from_wire = from_wire
        self.functions: list[Callable[..., Any]] = []
        self.called = 0

    def name(self, function: Callable[..., Any]) -> CallbackId:
        """A name for `function`, good until the next example."""
        self.functions.append(function)
        return CallbackId(len(self.functions) - 1)

    def answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """What the function gives for the arguments that the submission passed it, or its error."""
        self.called += 1
        number, args, kwargs = call.get("callback"), call.get("args"), call.get("kwargs")
        if self.called > MAX_CALLBACKS:
            raise WorkerLostError(f"your code called a function of this check more than {MAX_CALLBACKS} times")
        if not (isinstance(args, tuple) and isinstance(kwargs, dict) and all(type(key) is str for key in kwargs)):
            raise WorkerLostError(DISTURBED)
        if type(number) is not int or not 0 <= number < len(self.functions):
            raise WorkerLostError(DISTURBED)
        holds_object = any(isinstance(leaf, Handle) for leaf in tree_flatten([args, kwargs])[0])
        function, args, kwargs = self.functions[number], self.from_wire(args), self.from_wire(kwargs)
        if _count_elements([args, kwargs]) > MAX_ELEMENTS:
            return {"error": f"this function takes at most {MAX_ELEMENTS} numbers at once"}
        try:
            if (cotangents := call.get("cotangents")) is None:
                return {"value": function(*args, **kwargs)}
            return {"value": _differentiate(function, args, kwargs, self.from_wire(cotangents))}
        except Exception as error:  # the submission passed it something odd: the submission's own fault
            if holds_object or isinstance(error, ObjectReceivedError):
                name = getattr(function, "__name__", "this function")
                return {"error": f"`{name}` received an object of yours; did you forget to call it?"}
            return {"error": f"{public_name(error)}: {error}"[:500]}


def _count_elements(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, (list, tuple)):
        return sum(map(_count_elements, value))
    return sum(map(_count_elements, value.values())) if isinstance(value, dict) else 0


def _differentiate(
    function: Callable[..., Any], args: Any, kwargs: Any, cotangents: list[torch.Tensor]
) -> dict[Any, Any]:
    """Gradients of the grader's function in its tensor arguments, by position or keyword; None where there is none."""
    given = dict(enumerate(args)) | kwargs
    tensors = {key: value for key, value in given.items() if isinstance(value, torch.Tensor)}
    leaves = {key: value.detach().requires_grad_(value.is_floating_point()) for key, value in tensors.items()}
    wanted = {key: leaf for key, leaf in leaves.items() if leaf.requires_grad}
    filled = given | leaves
    value = function(*(filled[index] for index in range(len(args))), **{key: filled[key] for key in kwargs})
    gradients = torch.autograd.grad(value, list(wanted.values()), cotangents, allow_unused=True)
    return dict.fromkeys(leaves) | dict(zip(wanted, gradients, strict=True))

"""Proxies for the grader's functions, called by a submission: values cross the border, and gradients flow through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

Ask = Callable[..., Any]
Given = dict[Any, Any]


def callback_proxy(ask: Ask, number: int, unpack: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function that calls callback `number` in the grader. It is differentiable in its tensor arguments."""

    class Supplied(torch.autograd.Function):  # torch's messages to students name this class
        @staticmethod
        def forward(ctx: Any, given: Given, positions: int, names: list[Any], *tensors: Any) -> Any:
            ctx.given, ctx.positions, ctx.names = given, positions, names
            # On the device where a function of the submission would have made it: that of its arguments, or the CPU.
            home = tensors[0].device if tensors else "cpu"
            value = unpack(ask(number, *_arguments(given, positions)))
            return tree_map_only(torch.Tensor, lambda tensor: tensor.to(home), value)

        @staticmethod
        def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
            gradients = unpack(ask(number, *_arguments(ctx.given, ctx.positions), list(cotangents)))
            return None, None, None, *(gradients[name] for name in ctx.names)

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        given = dict(enumerate(args)) | kwargs
        tensors = {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}
        values = given | {name: _with_values(tensor) for name, tensor in tensors.items()}
        return Supplied.apply(values, len(args), list(tensors), *tensors.values())  # type: ignore[no-untyped-call]

    return stand_in


def _with_values(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its history; a meta tensor, which has no values to send, becomes zeros of its shape."""
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor.detach()


def _arguments(given: Given, positions: int) -> tuple[list[Any], Given]:
    args = [given[index] for index in range(positions)]
    return args, {name: value for name, value in given.items() if isinstance(name, str)}

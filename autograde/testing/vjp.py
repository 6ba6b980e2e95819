"""Gradients of a pure function: vector-Jacobian products in its floating tensor arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

Function = Callable[..., Any]


def choose_transform(cotangents: list[Tensor] | None) -> Callable[[Function], Function]:
    """What turns a function into what is compared: its value, or with `cotangents` its gradients."""
    return _keep_function if cotangents is None else functools.partial(differentiate, cotangents=cotangents)


def _keep_function(function: Function) -> Function:
    return function


def find_floating_positions(args: tuple[Any, ...]) -> list[int]:
    """Of the floating tensors among the arguments."""
    return [index for index, arg in enumerate(args) if isinstance(arg, Tensor) and arg.is_floating_point()]


def make_exact_cotangent(like: Tensor) -> Tensor:
    """An upstream gradient of varied multiples of 1/8 in [-1, 1], which every floating dtype holds exactly."""
    pattern = (torch.arange(like.numel()) * 7 + 3) % 17 - 8
    return (
        (pattern.to(torch.float64) / 8)
        .reshape(like.shape)
        .to(like.dtype if like.is_floating_point() else torch.float64)
    )


def differentiate(function: Function, cotangents: list[Tensor]) -> Function:
    """The function that maps the same arguments to the list of gradients of its floating tensor arguments."""

    def vjp(*args: Any, **kwargs: Any) -> list[Tensor]:
        positions = find_floating_positions(args)
        leaves = [
            arg.detach().clone().requires_grad_() if index in positions else arg for index, arg in enumerate(args)
        ]
        outputs = [leaf for leaf in tree_flatten(function(*leaves, **kwargs))[0] if isinstance(leaf, Tensor)]
        pairs = [(out, up.to(out.dtype)) for out, up in zip(outputs, cotangents, strict=True) if out.requires_grad]
        wanted = [leaves[index] for index in positions]
        if not pairs:
            return [torch.zeros_like(leaf) for leaf in wanted]
        gradients = torch.autograd.grad([out for out, _ in pairs], wanted, [up for _, up in pairs], allow_unused=True)
        return [torch.zeros_like(leaf) if grad is None else grad for leaf, grad in zip(wanted, gradients, strict=True)]

    return vjp

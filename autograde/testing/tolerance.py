"""How far a right answer may be from the exact one: measured on the reference, never typed by hand.

Three sources of error are measured for the very inputs of a check: the inputs themselves are rounded (the float64
reference moves when they move by an ulp of the student's dtype); arithmetic in the student's dtype strays (the
reference run in that dtype, and other right forms of it where it has any); and both together on nudged inputs, because
autograd and cancellation can hide from the first two.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

SAFETY = 8.0
"""How many times the measured error a right program may use; right programs were seen to use at most half of it."""
ULPS = 4.0
"""Roundings of the result that every program is allowed: the last operations may be done in another order."""
NUDGES = 3

Function = Callable[..., Any]


@dataclass(frozen=True)
class Part:
    """One tensor of the expected answer."""

    exact: Tensor
    """the float64 reference"""
    like: Tensor
    """the reference in the student's dtype: gives shape and dtype"""
    allowed: Tensor
    """per element, the largest error of a right program"""


def measure(
    reference: Function, args: tuple[Any, ...], kwargs: dict[str, Any], forms: Sequence[Function] = ()
) -> tuple[list[Part], Any]:
    """The parts of `reference(*args, **kwargs)` with their tolerances, and the answer in the student's dtype.

    `forms` are other right ways to compute the same, whose rounding a right program may share.
    """
    answer = sort_keys(reference(*args, **kwargs))
    like, _ = tree_flatten(answer)
    exact = _run(reference, args, kwargs, wide=True)
    spreads = [torch.zeros_like(part, dtype=torch.float64) for part in exact]
    generator = torch.Generator().manual_seed(0)
    step = torch.finfo(torch.float32).eps if any(getattr(form, "rounds_inputs", False) for form in forms) else 0.0
    nudged = (nudge_all((args, kwargs), generator, step) for _ in range(NUDGES))
    for near_args, near_kwargs in [(args, kwargs), *nudged]:
        moved = _run(reference, near_args, near_kwargs, wide=True)
        rounded = [_run(form, near_args, near_kwargs) for form in (reference, *forms)]
        for index, spread in enumerate(spreads):
            errors = [_measure_distance(near[index].double(), moved[index]) for near in rounded]
            spreads[index] = functools.reduce(
                torch.maximum, [spread, _measure_distance(moved[index], exact[index]), *errors]
            )
    tensors = [torch.as_tensor(leaf) for leaf in like]
    unit = _find_largest((args, kwargs))
    allowed = [_compute_allowed(*part, unit) for part in zip(exact, tensors, spreads, strict=True)]
    return [Part(*part) for part in zip(exact, tensors, allowed, strict=True)], answer


def sort_keys(value: Any) -> Any:
    """`value` with every dict filled by its keys' text, so that equal dicts have their leaves in one order."""
    if isinstance(value, dict):
        return {key: sort_keys(value[key]) for key in sorted(value, key=repr)}
    return type(value)(map(sort_keys, value)) if type(value) in (list, tuple) else value


def nudge_all(inputs: Any, generator: torch.Generator, least: float = 0.0) -> Any:
    """`inputs` with every tensor nudged."""
    return tree_map(lambda leaf: nudge(leaf, generator, least), inputs)


def nudge(value: Any, generator: torch.Generator, least: float = 0.0) -> Any:
    """Move every float of a tensor by one ulp of its dtype, or `least` if that is more, up or down at random.

    Anything else stays.
    """
    if not (isinstance(value, Tensor) and value.is_floating_point()):
        return value
    signs = torch.randint(0, 2, value.shape, generator=generator) * 2 - 1
    step = signs.to(torch.float64) * max(torch.finfo(value.dtype).eps, least)
    moved = (value.double() * (1 + step)).to(value.dtype)
    return torch.where(value.isfinite() & moved.isfinite(), moved, value)


def widened(tensor: Tensor) -> Tensor:
    """The tensor in float32 if it is in half precision; float32 and float64 stay. For wrong formulas that compute so.

    Example:
        # In the notebook
        def scaled(x):
            return x.float() * 3

        # In the hidden test
        oracle = Oracle(lambda x: (widened(x) * 3).to(x.dtype))

        @oracle.misconception
        def stays_float32(x):
            '''You return float32. Cast the result back to the dtype of x.'''
            return widened(x) * 3

        @check(points=1)
        @given(tensors((4,), dtype=torch.bfloat16))
        def test_dtype(student, x):
            '''three times x, in the dtype of x'''
            oracle.compare(student.scaled(x), x)

        # A student reads
        # the result must be torch.bfloat16, but yours is torch.float32
        # hint: You return float32. Cast the result back to the dtype of x.
    """
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def widen(value: Any) -> Any:
    """Floats in float64; anything else as it is."""
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _run(reference: Function, args: Any, kwargs: Any, wide: bool = False) -> list[Tensor]:
    if wide:
        args, kwargs = tree_map(widen, (args, kwargs))
    leaves, _ = tree_flatten(sort_keys(reference(*args, **kwargs)))
    tensors = [torch.as_tensor(leaf) for leaf in leaves]
    return [tensor.detach().double() if wide and not tensor.is_complex() else tensor.detach() for tensor in tensors]


def _measure_distance(one: Tensor, other: Tensor) -> Tensor:
    """Absolute difference; zero where either is not finite, since there only equality counts."""
    difference = (one - other).abs()
    return torch.where(difference.isfinite(), difference, 0.0)


def _find_largest(inputs: Any) -> float:
    """The largest finite magnitude in any floating tensor of `inputs`; 0 if there is none."""
    floats = [leaf for leaf in tree_flatten(inputs)[0] if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    return max(
        (float(leaf[leaf.isfinite()].abs().max()) for leaf in floats if bool(leaf.isfinite().any())), default=0.0
    )


def _compute_allowed(exact: Tensor, like: Tensor, spread: Tensor, unit: float) -> Tensor:
    if not like.is_floating_point():
        return torch.zeros_like(exact)
    spread = torch.maximum(spread, spread.mean() if spread.numel() else spread)
    finite = torch.where(exact.isfinite(), exact.abs(), 0.0)
    if not bool(exact.any()) and not bool(spread.any()):
        # The reference cancels without rounding; a right program may round before it cancels.
        finite = torch.full_like(exact, unit)
    allowed = SAFETY * spread + ULPS * torch.finfo(like.dtype).eps * finite + torch.finfo(like.dtype).tiny
    # What is left of large numbers after a cancellation depends on the order of a program's steps.
    floor = min(torch.finfo(like.dtype).eps, torch.finfo(torch.float32).eps) * unit
    is_left_over = (finite > 0) & (finite <= floor)
    return torch.where(is_left_over, allowed.clamp_min(floor), allowed)


def through_float32(reference: Function) -> Function:
    """The reference computed in float32, with a result of the dtype that it would have: a form for `Oracle`.

    With it, a float64 input demands a float64 result, and no more digits than float32 has.

    Example:
        # In the notebook
        def mean_square(x):
            return x.float().square().mean(-1).to(x.dtype)

        # In the hidden test
        def right(x):
            return x.square().mean(-1)

        oracle = Oracle(right, through_float32(right))

        @check(points=1)
        @given(tensors((3,), dtype=torch.float64))
        def test_dtype(student, x):
            '''float64 in, float64 out'''
            oracle.compare(student.mean_square(x), x)
    """

    def form(*args: Any, **kwargs: Any) -> Any:
        narrow = tree_map(lambda leaf: leaf.float() if _is_floating(leaf) else leaf, (args, kwargs))
        found, structure = tree_flatten(reference(*narrow[0], **narrow[1]))
        wanted, _ = tree_flatten(reference(*args, **kwargs))
        pairs = zip(found, wanted, strict=True)
        return tree_unflatten([one.to(other.dtype) if _is_floating(one) else one for one, other in pairs], structure)

    form.rounds_inputs = True  # type: ignore[attr-defined]  # mypy knows no attributes of functions
    return form


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()

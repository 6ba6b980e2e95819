"""Says where and how an answer differs from the expected one: kind first, then shape, dtype, and only then values."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autograde.client.mismatch import Mismatch
from autograde.client.proxies import RemoteObject
from autograde.testing.error_ratio import error_ratio
from autograde.testing.excerpt import window
from autograde.testing.tolerance import Part
from autograde.testing.trial import trial


def difference(got: Any, answer: Any, parts: list[Part], what: str, names: list[str]) -> Mismatch | None:
    """The Mismatch between `got` and the expected `answer` (whose tensors are `parts`), or None if there is none."""
    waiting = iter(parts)
    return _walk(got, answer, waiting, what, iter(names))


def _walk(got: Any, answer: Any, parts: Any, what: str, names: Any) -> Mismatch | None:
    if isinstance(answer, dict):
        if not isinstance(got, dict):
            return Mismatch(f"{what} must be a dict with the keys {sorted(map(str, answer))}, not {describe(got)}")
        if missing := [key for key in answer if key not in got]:
            return Mismatch(f"{what} lacks {_keys(missing)}")
        if more := [key for key in got if key not in answer]:
            return Mismatch(f"{what} has {_keys(more)}, which should not be there")
        for key, item in answer.items():
            if (problem := _walk(got[key], item, parts, f"{what}[{key!r}]", names)) is not None:
                return problem
        return None
    if isinstance(answer, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(answer):
            return Mismatch(f"{what} must be {len(answer)} values, not {describe(got)}")
        for index, (mine, item) in enumerate(zip(got, answer, strict=True)):
            name = next(names, f"{what}[{index}]")
            if (problem := _walk(mine, item, parts, name, iter(()))) is not None:
                return problem
        return None
    part = next(parts)
    if isinstance(answer, Tensor):
        return _tensor(got, part, what)
    return _number(got, part, what)


def _keys(keys: list[Any]) -> str:
    """The first of them, and how many there are."""
    named = f"the key {keys[0]!r}"[:80]
    return f"{named} and {len(keys) - 1} more" if keys[1:] else named


def _number(got: Any, part: Part, what: str) -> Mismatch | None:
    if type(got) not in (int, float, bool):
        return Mismatch(f"{what} must be a number, not {describe(got)}")
    try:
        value = float(got)
    except OverflowError:  # Python's integers know no bound
        value = math.inf if got > 0 else -math.inf
    return _values(torch.tensor(value, dtype=torch.float64), part, what)


def _tensor(got: Any, part: Part, what: str) -> Mismatch | None:
    if got is None and what.startswith("the gradient") and bool((part.exact.abs() > part.allowed).any()):
        return Mismatch(f"{what} is missing: your computation is cut off from autograd there")
    if got is None and what.startswith("the gradient"):
        return None
    if not isinstance(got, Tensor):
        return Mismatch(f"{what} must be a tensor, not {describe(got)}")
    if got.shape != part.like.shape:
        return Mismatch(f"{what} must have shape {tuple(part.like.shape)}, but yours has {tuple(got.shape)}")
    if got.dtype != part.like.dtype:
        return Mismatch(f"{what} must be {part.like.dtype}, but yours is {got.dtype}")
    return _values(got.double() if not got.is_complex() else got, part, what)


def _values(got: Tensor, part: Part, what: str) -> Mismatch | None:
    exact, allowed = part.exact, part.allowed
    expected, error = distance(got, part)
    if (ratio := error_ratio(error, allowed)) is not None:
        trial().error_ratios.append(ratio)
    fine = error <= allowed
    if bool(fine.all()):
        return None
    worst = _worst(error, fine)
    index = tuple(int(i) for i in np.unravel_index(worst, tuple(exact.shape)))
    mine, theirs = got.reshape(-1)[worst].item(), expected.reshape(-1)[worst].item()
    wrong = f"{int((~fine).sum())} of {fine.numel()} values wrong"
    where = f"{what}: {wrong}, the worst at index {index}" if exact.dim() else f"{what} is wrong"
    room = float(allowed.reshape(-1)[worst])
    return Mismatch(
        where,
        got=f"got {mine:.6g}",
        expected=f"expected {theirs:.6g} (allowed ±{room:.1g})",
        compared=None if got.is_complex() else functools.partial(window, what, got, expected, fine, index),
    )


def distance(got: Tensor, part: Part) -> tuple[Tensor, Tensor]:
    """What is expected of an answer in the student's dtype, and how far `got` lies from it, element by element."""
    exact = part.exact
    # An answer too large for the dtype is infinite there; only then may a finite exact value become infinite.
    rounded = exact.to(part.like.dtype).to(exact.dtype) if part.like.is_floating_point() else exact
    expected = torch.where(rounded.isfinite(), exact, rounded) if exact.is_floating_point() else exact
    same = (got == expected) | (got.isnan() & expected.isnan())
    return expected, torch.where(same, 0.0, (got - expected).abs())


def _worst(error: Tensor, fine: Tensor) -> int:
    """Flat index of the largest error among the wrong values; a NaN or an infinity where none belongs comes first."""
    ranked = torch.where(fine, -1.0, torch.where(error.isnan(), float("inf"), error))
    return int(ranked.reshape(-1).argmax())


def describe(value: Any) -> str:
    """What came instead, in a few words, naming nothing of the value itself."""
    if isinstance(value, RemoteObject):
        return f"an object of type {value._handle.type_name}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None (is a `return` missing?)" if value is None else f"a {type(value).__name__}"

"""Says where and how an answer differs from the expected one: kind first, then shape, dtype, and only then values."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.mismatch import Mismatch
from autograde.client.remote_object import RemoteObject
from autograde.testing.error_ratio import compute_error_ratio
from autograde.testing.excerpt import cut_excerpt
from autograde.testing.tolerance import Part
from autograde.testing.trial import current_trial

DIGITS = 6
"""of the numbers in a message, unless they look alike"""


@dataclass(frozen=True)
class Answer:
    """What is compared: the result of a call, or the gradients in its arguments."""

    expected: Any
    """in the student's dtype; gradients are a list"""
    parts: list[Part]
    """its tensors, with their tolerances"""
    name: str = "the result"
    """what a message calls the whole"""
    arguments: list[str] | None = None
    """for gradients, the names of the arguments that they belong to"""

    @property
    def is_gradient(self) -> bool:
        return self.arguments is not None


class NoGradientMismatch(Mismatch):
    """No gradient arrives where one is expected."""

    def __init__(self, reason: str, left: int) -> None:
        """`left` is the number of gradients behind it."""
        super().__init__(reason)
        self.left = left


def find_difference(got: Any, answer: Answer) -> Mismatch | None:
    """The Mismatch between `got` and what is expected, or None if there is none."""
    return _Comparison(answer).compare(got, answer.expected, answer.name)


def expect_like(got: Any, like: Tensor, what: str = "the result", hint: str = "") -> None:
    """`got` is a tensor of the shape and dtype of `like`. Ask before you calculate with an answer of the submission.

    Example:
        # In the notebook
        def centred(x):
            return (x - x.mean()).tolist()

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3)))
        def test_law(student, x):
            '''the centred numbers sum to 0'''
            got = student.centred(x)
            expect_like(got, x)
            expect(abs(got.sum()) < 1e-4, "they do not sum to 0", "Subtract the mean.")

        # A student reads
        # the result must be a tensor, not a list of 2
    """
    problem = _compare_kind(got, like, what)
    if problem is not None:
        problem.hint = hint
        raise problem


def has_equal_kinds(got: Any, value: Any) -> bool:
    """Is `got` of the type of `value`, with as many tensors of the same shapes and dtypes?"""
    mine, theirs = (
        [(leaf.shape, leaf.dtype) for leaf in tree_flatten(one)[0] if isinstance(leaf, Tensor)] for one in (got, value)
    )
    return type(got) is type(value) and mine == theirs


class _Comparison:
    """Walks through an answer and what was expected, side by side."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.parts = iter(answer.parts)
        self.names: Iterator[str] = iter([f"the gradient of `{name}`" for name in answer.arguments or []])
        """of the members of the outermost list"""

    def compare(self, got: Any, expected: Any, what: str) -> Mismatch | None:
        if isinstance(expected, dict):
            return self._compare_dict(got, expected, what)
        if isinstance(expected, (list, tuple)):
            return self._compare_list(got, expected, what)
        part = next(self.parts)
        if not isinstance(expected, Tensor):
            return _compare_number(got, part, what)
        if got is None and self.answer.is_gradient:
            # No gradient is a gradient of zeros.
            is_zero = not bool((part.exact.abs() > part.allowed).any())
            return None if is_zero else NoGradientMismatch(f"{what} is missing", len(list(self.parts)))
        return _compare_tensor(got, part, what)

    def _compare_dict(self, got: Any, expected: dict[Any, Any], what: str) -> Mismatch | None:
        if not isinstance(got, dict):
            return Mismatch(f"{what} must be a dict with the keys {sorted(map(str, expected))}, not {describe(got)}")
        if missing := [key for key in expected if key not in got]:
            return Mismatch(f"{what} lacks {_name_keys(missing)}")
        if more := [key for key in got if key not in expected]:
            return Mismatch(f"{what} has {_name_keys(more)}, which should not be there")
        problems = (self.compare(got[key], item, f"{what}[{key!r}]") for key, item in expected.items())
        return next((problem for problem in problems if problem is not None), None)

    def _compare_list(self, got: Any, expected: Sequence[Any], what: str) -> Mismatch | None:
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            return Mismatch(f"{what} must be {len(expected)} values, not {describe(got)}")
        names, self.names = self.names, iter(())
        pairs = enumerate(zip(got, expected, strict=True))
        problems = (self.compare(mine, item, next(names, f"{what}[{index}]")) for index, (mine, item) in pairs)
        return next((problem for problem in problems if problem is not None), None)


def _name_keys(keys: list[Any]) -> str:
    """The first of them, and how many there are."""
    named = f"the key {keys[0]!r}"[:80]
    return f"{named} and {len(keys) - 1} more" if keys[1:] else named


def _compare_number(got: Any, part: Part, what: str) -> Mismatch | None:
    if type(got) not in (int, float, bool):
        return Mismatch(f"{what} must be a number, not {describe(got)}")
    try:
        value = float(got)
    except OverflowError:  # Python's integers know no bound
        value = math.inf if got > 0 else -math.inf
    return _compare_values(torch.tensor(value, dtype=torch.float64), part, what)


def _compare_tensor(got: Any, part: Part, what: str) -> Mismatch | None:
    if (problem := _compare_kind(got, part.like, what)) is not None:
        return problem
    return _compare_values(got.double() if not got.is_complex() else got, part, what)


def _compare_kind(got: Any, like: Tensor, what: str) -> Mismatch | None:
    """Says that `got` is no tensor, or has another shape or dtype than `like`."""
    if not isinstance(got, Tensor):
        return Mismatch(f"{what} must be a tensor, not {describe(got)}")
    if got.shape != like.shape:
        return Mismatch(f"{what} must have shape {tuple(like.shape)}, but yours has {tuple(got.shape)}")
    if got.dtype != like.dtype:
        return Mismatch(f"{what} must be {like.dtype}, but yours is {got.dtype}")
    return None


def _compare_values(got: Tensor, part: Part, what: str) -> Mismatch | None:
    exact, allowed = part.exact, part.allowed
    expected, error = measure_distance(got, part)
    if (ratio := compute_error_ratio(error, allowed)) is not None:
        current_trial().error_ratios.append(ratio)
    fine = error <= allowed
    if bool(fine.all()):
        return None
    worst = _find_worst(error, fine)
    index = tuple(int(i) for i in np.unravel_index(worst, tuple(exact.shape)))
    mine, theirs = got.reshape(-1)[worst].item(), expected.reshape(-1)[worst].item()
    wrong = f"{int((~fine).sum())} of {fine.numel()} values wrong"
    where = f"{what}: {wrong}, the worst at index {index}" if exact.dim() else f"{what} is wrong"
    tolerance = float(allowed.reshape(-1)[worst])
    digits = _count_digits(mine, theirs)
    return Mismatch(
        where,
        got=f"got {mine:.{digits}g}",
        expected=f"expected {theirs:.{digits}g} (allowed ±{tolerance:.1g})",
        is_small=digits > DIGITS or _looks_equal(mine, theirs),
        compared=None if got.is_complex() else functools.partial(cut_excerpt, what, got, expected, fine, index),
    )


def _count_digits(mine: complex, theirs: complex) -> int:
    """Count the digits that the two numbers need to look different."""
    return next((digits for digits in range(DIGITS, 17) if f"{mine:.{digits}g}" != f"{theirs:.{digits}g}"), 17)


def _looks_equal(mine: complex, theirs: complex) -> bool:
    """Would the two numbers be printed alike, in a tensor that shows four decimals?"""
    return abs(mine - theirs) < 1e-3 * max(1.0, abs(theirs))


def measure_distance(got: Tensor, part: Part) -> tuple[Tensor, Tensor]:
    """What is expected of an answer in the student's dtype, and how far `got` is from it, element by element."""
    exact = part.exact
    # An answer too large for the dtype is infinite there; only then may a finite exact value become infinite.
    rounded = exact.to(part.like.dtype).to(exact.dtype) if part.like.is_floating_point() else exact
    expected = torch.where(rounded.isfinite(), exact, rounded) if exact.is_floating_point() else exact
    same = (got == expected) | (got.isnan() & expected.isnan())
    return expected, torch.where(same, 0.0, (got - expected).abs())


def _find_worst(error: Tensor, fine: Tensor) -> int:
    """Flat index of the largest error among the wrong values; a NaN or an infinity where none belongs comes first."""
    ranked = torch.where(fine, -1.0, torch.where(error.isnan(), float("inf"), error))
    return int(ranked.reshape(-1).argmax())


def describe(value: Any) -> str:
    """What came instead, in a few words, without the value itself."""
    if isinstance(value, RemoteObject):
        return f"an object of type {value._handle.type_name}"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)}"
    return "None (is a `return` missing?)" if value is None else f"a {type(value).__name__}"

"""How near the answers of a check came to their tolerance, or how far they went beyond."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from torch import Tensor

MOST = 1e9
"""stands for infinitely far off: a NaN, or any error where none is allowed"""
_met: ContextVar[list[float] | None] = ContextVar("met", default=None)


@contextmanager
def margins() -> Iterator[list[float]]:
    """The list to which every comparison inside adds its largest error / allowed error."""
    met: list[float] = []
    before = _met.set(met)
    try:
        yield met
    finally:
        _met.reset(before)


def note(error: Tensor, allowed: Tensor) -> None:
    """Remember the largest ratio; an exact value counts as 0."""
    met = _met.get()
    if met is not None and error.numel():
        ratios = (error / allowed).where(error != 0, 0.0).nan_to_num(nan=math.inf, posinf=math.inf)
        met.append(min(float(ratios.max()), MOST))


def largest(met: list[float]) -> float | None:
    """To two digits, so that reports of two machines agree; None if nothing was compared."""
    return float(f"{max(met):.2g}") if met else None

"""How near the answers of a check came to their tolerance, or how far they went beyond."""

from __future__ import annotations

import math

from torch import Tensor

MAX_RATIO = 1e9
"""for infinitely far off: a NaN, or any error where none is allowed"""


def compute_error_ratio(error: Tensor, allowed: Tensor) -> float | None:
    """The largest error / allowed error of one comparison, where an exact value counts as 0; None for no values."""
    if not error.numel():
        return None
    ratios = (error / allowed).where(error != 0, 0.0).nan_to_num(nan=math.inf, posinf=math.inf)
    return min(float(ratios.max()), MAX_RATIO)


def round_largest(ratios: list[float]) -> float | None:
    """To two digits, so that reports of two machines agree; None if nothing was compared."""
    return float(f"{max(ratios):.2g}") if ratios else None

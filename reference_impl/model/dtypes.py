"""Precision: sums, exponentials and statistics are computed in float32 at least."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upcast", "widen_dtype"]


def widen_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for half precision; float32 and float64 stay as they are."""
    return torch.promote_types(dtype, torch.float32)


def upcast(x: Tensor) -> Tensor:
    """`x` in float32 if it is in half precision; float32 and float64 stay as they are."""
    return x.to(widen_dtype(x.dtype))

"""Precision: sums, exponentials and statistics are computed in float32 at least."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["upcast"]


def upcast(x: Tensor) -> Tensor:
    """`x` in float32 if it is in half precision; float32 and float64 stay as they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))

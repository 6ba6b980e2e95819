"""The part of a wrong answer that is worth looking at: around its worst value, in its last two axes."""

from __future__ import annotations

import torch
from torch import Tensor

from autograde.report import Comparison, Number

ROWS = 24
NUMBERS = 576
"""24 rows of 24: what a picture shows clearly, and what a report holds without growing"""


def cut_excerpt(what: str, got: Tensor, expected: Tensor, fine: Tensor, worst: tuple[int, ...]) -> Comparison:
    """The numbers around index `worst` of real tensors of one shape; `fine` says which values are within tolerance."""
    lead = max(0, got.dim() - 2)
    start, shape = list(worst[:lead]), list[int]()
    for axis in range(lead, got.dim()):
        size, centre = got.shape[axis], worst[axis]
        is_last = axis == got.dim() - 1
        kept = min(size, NUMBERS // (shape[0] if shape else 1) if is_last else ROWS)
        start.append(min(max(0, centre - kept // 2), size - kept))
        shape.append(kept)
    ends = [slice(first, first + kept) for first, kept in zip(start[lead:], shape, strict=True)]
    place: tuple[int | slice, ...] = (*start[:lead], *ends)
    return Comparison(
        what=what,
        of=list(got.shape),
        start=start,
        shape=shape,
        got=_to_numbers(got[place]),
        wrong=[int(index) for index in torch.nonzero(~fine[place].reshape(-1)).reshape(-1)],
        expected=_to_numbers(expected[place]),
    )


def _to_numbers(tensor: Tensor) -> list[Number]:
    values = [float(f"{value:.6g}") for value in tensor.detach().double().reshape(-1).tolist()]
    return [value if abs(value) < float("inf") else str(value) for value in values]

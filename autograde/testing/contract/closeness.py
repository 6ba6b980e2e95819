"""Whether two answers of one submission are equal up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.mismatch import Mismatch
from autograde.client.remote_object import RemoteObject
from autograde.testing.tolerance import sort_keys

SELF_ULPS = 256.0
"""How far two runs of one program may differ, relative to the largest value, when only the order of sums differs."""
MOST_OF_LARGEST = 1 / 16
"""and never more than this share of the largest value, which so many ulps of half precision would exceed"""


def expect_close(got: Any, other: Any, reason: str, hint: str) -> None:
    """Two answers of a submission to one question are equal up to rounding; what is no floating number is equal.

    They may have been computed in another order: in a batch or alone, from memory laid out otherwise, by a module with
    or without dropout. Two right answers then differ in the last places, on each processor in others, so
    `torch.equal` is wrong for them.

    Example:
        # In the notebook
        def mean(x):
            return x.sum() / 5

        # In the hidden test
        @check(points=1)
        def test_repeated(student):
            '''numbers that come twice have the same mean'''
            x = torch.arange(5.0)
            reason = "the mean of x and x again is not that of x"
            contract.expect_close(student.mean(x), student.mean(x.repeat(2)), reason, "Divide by the number of values.")

        # A student reads
        # the mean of x and x again is not that of x
        # hint: Divide by the number of values.
    """
    if not have_equal_parts(got, [other], lambda leaf, others: is_close(leaf, others[0])):
        raise Mismatch(reason, hint, is_fact=True)


def have_equal_parts(value: Any, others: list[Any], fits: Callable[[Any, list[Any]], bool]) -> bool:
    """Are all of one structure, and does each part of `value` fit those of `others`?

    An object that stays in the worker is not compared.
    """
    (mine, structure), *theirs = [tree_flatten(sort_keys(one)) for one in (value, *others)]
    if any(other != structure for _, other in theirs):
        return False
    parts = zip(mine, *(leaves for leaves, _ in theirs), strict=True)
    return all(fits(leaf, rest) for leaf, *rest in parts if not all(isinstance(part, RemoteObject) for part in rest))


def is_batch_of(whole: Any, members: list[Any]) -> bool:
    """Tensors are stacked; whatever else a function returns is the same for each member."""
    if not all(isinstance(member, Tensor) for member in members):
        return all(is_close(whole, member) for member in members)
    same_kind = len({(member.shape, member.dtype) for member in members}) == 1
    return same_kind and is_close(whole, torch.stack(members))


def differs_by_rounding(one: Any, other: Any) -> bool:
    """Equal but for rounding in float32, also where the result was cast afterwards: to float64, or to whole numbers."""
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)) or one.shape != other.shape:
        return is_close(one, other)
    if one.dtype != other.dtype or one.dtype == torch.bool:
        return is_close(one, other)
    if not (one.is_floating_point() or one.is_complex()):
        return bool(((one.double() - other.double()).abs() <= 1).all())
    if torch.finfo(one.dtype).eps >= torch.finfo(torch.float32).eps:
        return is_close(one, other)
    coarse = torch.complex64 if one.is_complex() else torch.float32
    return is_close(one.to(coarse), other.to(coarse))


def is_close(one: Any, other: Any) -> bool:
    if isinstance(one, (float, np.ndarray)) and type(one) is type(other):
        one, other = torch.tensor(one), torch.tensor(other)
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return type(one) is type(other) and bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not (one.is_floating_point() or one.is_complex()):
        return torch.equal(one, other)
    finite = other[other.isfinite()].abs()
    share = min(SELF_ULPS * torch.finfo(one.dtype).eps, MOST_OF_LARGEST)
    tolerance = share * (float(finite.max()) if finite.numel() else 0.0)
    return torch.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True)

"""Finds, compares and converts the tensors among a call's arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._pytree import tree_map_only


def iterate_tensors(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in a value, depth first, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from iterate_tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from iterate_tensors(item)


def differs(old: torch.Tensor, new: torch.Tensor) -> bool:
    same_kind = old.shape == new.shape and old.dtype == new.dtype
    return not (same_kind and torch.equal(old.nan_to_num(nan=0.5), new.detach().nan_to_num(nan=0.5)))


def reverse_layout(value: Any) -> Any:
    """The same values, with each tensor's axes in reverse order in memory, so that it is not contiguous."""

    def reverse(tensor: torch.Tensor) -> torch.Tensor:
        backwards = tuple(reversed(range(tensor.dim())))
        return tensor.permute(backwards).contiguous().permute(backwards)

    return tree_map_only(torch.Tensor, reverse, value)


def to_meta(value: Any) -> Any:
    return tree_map_only(torch.Tensor, lambda tensor: tensor.detach().to("meta"), value)

"""The cell that a student pastes rebuilds the very inputs of the check, and says so where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.client.reproduction import MAX_NUMBERS, MAX_PACKED, STANDS_IN, Line, render_calls
from autograde.testing import Generator, tensors

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def run(cell: str) -> list[Any]:
    """The arguments that the pasted cell calls `f` with."""
    seen: list[Any] = []
    exec(cell, {"torch": torch, "f": lambda *args, **kwargs: seen.extend([*args, *kwargs.values()])})
    return seen


def line(*args: Any, **kwargs: Any) -> Line:
    return Line("f", (args, kwargs))


@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 4 * MAX_NUMBERS))
def test_reproduction_rebuilds_every_bit(data: st.DataObject, dtype: torch.dtype, length: int) -> None:
    x = data.draw(tensors((length,), dtype=dtype))
    [again] = run(render_calls([line(x)]))
    assert again.dtype == dtype
    assert torch.equal(again.view(torch.uint8), x.view(torch.uint8))


@pytest.mark.parametrize("x", [np.ones(3), np.arange(2000.0), np.zeros((2, 0)), np.arange(4) > 1])
def test_reproduction_rebuilds_arrays(x: Any) -> None:
    [again] = run(render_calls([line(x)]))
    assert (again.dtype, again.tolist()) == (x.dtype, x.tolist())


@pytest.mark.parametrize("x", [torch.arange(300), torch.arange(300) % 2 == 0, torch.zeros(0, 3), torch.eye(20).T])
def test_reproduction_rebuilds_tensors_of_other_kinds(x: torch.Tensor) -> None:
    [again] = run(render_calls([line(x=x)]))
    assert again.shape == x.shape
    assert again.dtype == x.dtype
    assert torch.equal(again, x)


def test_reproduction_replaces_long_values_by_names() -> None:
    """Values that are too long are named, so that the cell stays short."""
    long = torch.randn(100_000, dtype=torch.float16)
    cell = render_calls([line(torch.randn(30, 40), long, torch.randn(5, 5, 100))])
    assert cell.startswith(STANDS_IN)
    assert "torch.randn(100000).to(torch.float16)" in cell
    assert len(cell) < MAX_PACKED + 1000
    assert [tuple(x.shape) for x in run(cell)] == [(30, 40), (100_000,), (5, 5, 100)]
    assert STANDS_IN not in render_calls([line(torch.randn(30, 40))])


def test_reproduction_writes_plain_values() -> None:
    values = (1, -2.5, True, None, "a'b", b"x", (3,), [float("inf")], {"k": torch.ones(2)}, torch.float16)
    again = run(render_calls([line(*values)]))
    assert repr(again[:-2]) == repr(list(values[:-2]))
    assert run(render_calls([line(float("nan"))]))[0] != 0


@pytest.mark.parametrize(
    "value", [{3, 1}, set(), frozenset({2}), torch.device("cpu"), np.float32(0.5), np.int64(7), np.bool_(True)]
)
def test_reproduction_rebuilds_other_data(value: Any) -> None:
    """What a check can pass besides tensors is rebuilt by the cell."""
    [again] = run(render_calls([line(value)]))
    assert again == value


def test_reproduction_rebuilds_a_generator() -> None:
    """The student's function gets a torch.Generator that draws what it drew in the check."""
    [again] = run(render_calls([line(generator=Generator(7))]))
    assert torch.equal(torch.rand(3, generator=again), torch.rand(3, generator=torch.Generator().manual_seed(7)))

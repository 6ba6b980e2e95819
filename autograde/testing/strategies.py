"""Random inputs that shrink to something a person can read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from hypothesis import strategies as st

SIMPLE = 16
"""Below this, a seed means small multiples of 1/4; 0, where shrinking ends, means 0.5, -1, 1.5, …, -11, 0.5 …"""
PERIOD = 22


@st.composite
def tensors(
    draw: Callable[[Any], Any],
    shape: tuple[int, ...] | st.SearchStrategy[tuple[int, ...]],
    *,
    dtype: torch.dtype = torch.float32,
    scale: float = 1.0,
) -> torch.Tensor:
    """A strategy for tensors on the CPU, of `shape` or of a shape drawn from a strategy.

    Values are normal with standard deviation `scale`, converted to `dtype`, which should be a floating one. They come
    from a drawn seed, so drawing costs the same for any size. Smaller seeds give multiples of `scale` / 4, and
    shrinking ends at 0.5, -1, 1.5, -2, … times `scale`, numbers that a student can follow by hand.

    Example:
        # In the notebook
        def mean_of_rows(x):
            return x.sum(-1) / x.shape[-1]

        # In the hidden test
        oracle = Oracle(lambda x: x.mean(-1))
        shapes = st.tuples(st.integers(1, 3), st.integers(1, 5))

        @check(points=1)
        @given(tensors(shapes, dtype=torch.float64, scale=10.0))
        def test_mean(student, x):
            '''each row becomes its mean'''
            oracle.compare(student.mean_of_rows(x), x)
    """
    size = draw(shape) if isinstance(shape, st.SearchStrategy) else tuple(shape)
    seed = draw(st.integers(0, 2**16))
    count = torch.Size(size).numel()
    generator = torch.Generator().manual_seed(seed)
    if seed == 0:
        steps = torch.arange(count)
        values = (1 + steps % PERIOD) * (1 - 2 * (steps % 2)).double() / 2
    elif seed < SIMPLE:
        values = torch.randint(-8, 9, (count,), generator=generator).double() / 4
    else:
        values = torch.randn(count, generator=generator, dtype=torch.float64)
    return (values * scale).reshape(size).to(dtype)

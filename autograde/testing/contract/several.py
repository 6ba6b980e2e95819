"""Several facets in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from autograde.client.calls import Target
from autograde.testing.contract.repeated_calls import noncontiguous_input
from autograde.testing.contract.single_call import follows_device, input_unchanged
from autograde.testing.difference import expect_like

Facet = Callable[..., None]
USUAL: tuple[Facet, ...] = (input_unchanged, noncontiguous_input, follows_device)


def all_of(
    target: Target, *args: Any, like: Tensor | None = None, facets: Sequence[Facet] = USUAL, **kwargs: Any
) -> None:
    """What a good function does with its arguments, one facet after the other.

    Without `facets` these are `input_unchanged`, `noncontiguous_input` and `follows_device`. With `like` the result
    must first have its shape and dtype: a function that returns None keeps every facet.

    Example:
        # In the notebook
        def subtract_mean(x):
            x -= x.mean()
            return x

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3)))
        def test_inputs(student, x):
            '''x stays as it was, may be non-contiguous, and the result is on its device'''
            contract.all_of(student.subtract_mean, x)

        # A student reads
        # tensor argument 1 was changed by the call
        # hint: Your code writes into its input. Operations ending in `_`, `+=`, `x[...] =` do that; make a new tensor.
    """
    if like is not None:
        expect_like(target(*args, **kwargs), like)
    for facet in facets:
        facet(target, *args, **kwargs)

"""Functions that all checks of a file supply to the submission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Supplies:
    """Right functions instead of the notebook's own, in every check of the file. Assign it to a name of the module.

    It is `student.supply`, written once: so an exercise that builds on earlier ones is graded fairly although those may
    be wrong.

    Example:
        # In the notebook
        def unit(x):
            raise NotImplementedError

        def residual(x):
            return x + unit(x)

        # In the hidden test
        def right_unit(x):
            return x / x.square().mean(-1, keepdim=True).sqrt()

        supplies = Supplies(unit=right_unit)
        oracle = Oracle(lambda x: x + right_unit(x))

        @check(points=1)
        @given(tensors((2, 4)))
        def test_residual(student, x):
            '''the normalised input is added to x'''
            oracle.compare(student.residual(x), x)
    """

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.functions = functions

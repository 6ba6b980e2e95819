"""The misconceptions that an oracle recognises, and the checks in which each of them is considered."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, overload
from weakref import WeakKeyDictionary

Reference = Callable[..., Any]


class MisconceptionRegistry:
    """The part of an oracle that knows wrong formulas."""

    instances: ClassVar[WeakKeyDictionary[MisconceptionRegistry, None]] = WeakKeyDictionary()
    """all that exist, in the order in which they were made, so that `verify` finds the misconceptions of each"""

    def __init__(self) -> None:
        self.instances[self] = None
        self.misconceptions: list[Reference] = []
        self.scopes: dict[Reference, frozenset[str]] = {}
        """of misconceptions that are considered in some checks only: the names of these checks"""

    @overload
    def misconception(self, misconception: Reference, /) -> Reference: ...

    @overload
    def misconception(self, *checks: Reference) -> Callable[[Reference], Reference]: ...

    def misconception(self, *functions: Reference) -> Reference | Callable[[Reference], Reference]:
        """Register a wrong formula that students write. Its docstring is the hint; ValueError if there is none.

        With checks, `@oracle.misconception(test_large)`, it is considered in these checks only, and has to explain only
        their answers.

        It takes the arguments of the reference. A student reads the hint only if this is the one registered
        misconception that explains every answer so far, right and wrong. `course verify` demands that a program of
        the same name in `wrong/` is caught and gets this hint.

        Example:
            # In the notebook
            def attention_scores(query, key):
                return query @ key.mT

            # In the hidden test
            oracle = Oracle(lambda query, key: query @ key.mT / query.shape[-1] ** 0.5)

            @oracle.misconception
            def no_scale(query, key):
                '''You do not divide by the root of the width.'''
                return query @ key.mT

            @check(points=1)
            @given(tensors((2, 4)), tensors((3, 4)))
            def test_scores(student, query, key):
                '''scores are scaled products of queries and keys'''
                oracle.compare(student.attention_scores(query, key), query, key)

            # A student reads
            # the result: 6 of 6 values wrong, the worst at index (1, 2): got 69.5
            # hint: You do not divide by the root of the width.
        """
        if len(functions) == 1 and not hasattr(functions[0], "check"):
            return self._register(functions[0], [])
        return functools.partial(self._register, checks=[function.__name__ for function in functions])

    def _register(self, misconception: Reference, checks: list[str]) -> Reference:
        if not (misconception.__doc__ or "").strip():
            raise ValueError(f"misconception {misconception.__name__} has no docstring; it is the hint a student reads")
        self.misconceptions.append(misconception)
        if checks:
            self.scopes[misconception] = frozenset(checks)
        return misconception

    def _list_considered(self, check: str) -> list[Reference]:
        """The misconceptions that may explain an answer in this check."""
        return [one for one in self.misconceptions if not check or check in self.scopes.get(one, {check})]

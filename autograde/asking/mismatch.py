"""The one way for a check to say that an answer is wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import msgspec

from autograde.report import Comparison, Reveal


class Mismatch(AssertionError):
    """The submission's answer is wrong. `reason` says what was measured, `hint` what to do about it.

    `got` and `expected` are shown, behind the reason, only as far as the course reveals them.
    """

    def __init__(
        self,
        reason: str,
        hint: str = "",
        *,
        got: str = "",
        expected: str = "",
        misconception: str = "",
        compared: Callable[[], Comparison] | None = None,
    ) -> None:
        """`compared` gives the numbers behind the reason; it is asked once, of the smallest failing example."""
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.got = got
        self.expected = expected
        self.misconception = misconception
        self.compared = compared
        self.undecided: list[str] = []
        """names of the wrong ideas that explain every answer, if there are several"""
        self.explain: Callable[[], list[Callable[..., object]]] | None = None
        """finds the wrong ideas that explain the numbers; costly, so asked once, when all examples are in"""

    def recognise(self) -> None:
        """Take hint and name from the wrong idea, if exactly one explains every answer so far."""
        ideas = self.explain() if self.explain is not None else []
        if len(ideas) == 1:
            self.hint = inspect.cleandoc(ideas[0].__doc__ or "")
            self.misconception = ideas[0].__name__
        else:
            self.undecided = [idea.__name__ for idea in ideas]

    def text(self, reveal: Reveal) -> str:
        """The reason as a student may read it."""
        shown = [self.reason]
        if reveal is not Reveal.NOTHING and self.got:
            shown.append(self.got)
        if reveal is Reveal.EXPECTED and self.expected:
            shown.append(self.expected)
        return ": ".join([shown[0], ", ".join(shown[1:])]) if shown[1:] else shown[0]


def revealed(comparison: Comparison | None, reveal: Reveal) -> Comparison | None:
    """What a student may see of the numbers: where the answer is wrong tells less than by how much."""
    if comparison is None or reveal is Reveal.NOTHING:
        return None
    return comparison if reveal is Reveal.EXPECTED else msgspec.structs.replace(comparison, expected=[])


def expect(condition: bool, reason: str, hint: str = "") -> None:
    """Raise Mismatch(reason, hint) unless `condition` holds."""
    if not condition:
        raise Mismatch(reason, hint)

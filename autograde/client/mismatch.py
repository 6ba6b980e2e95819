"""The one way for a check to say that an answer is wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import msgspec

from autograde.report import Comparison, Reveal


class Mismatch(AssertionError):
    """The answer is wrong. `reason` says what was measured, `hint` what to do about it.

    Raise it where `expect` is not enough: `got` and `expected` follow the reason only as far as `reveal` in
    `course_config.py` allows. The other arguments are the engine's. A Mismatch of the oracle's can be caught, given a
    better `hint`, and raised again.

    Example:
        # In the notebook
        def count_tokens(text):
            return len(text)

        # In the hidden test
        @check(points=1)
        def test_count(student):
            '''a token is a word'''
            found = student.count_tokens("first word")
            if found != 2:
                hint = "Split the text at white space."
                raise Mismatch("the number of tokens is wrong", hint, got=f"got {found}", expected="expected 2")

        # A student reads
        # the number of tokens is wrong: got 10
        # hint: Split the text at white space.
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
        traceback: str = "",
        is_fact: bool = False,
        is_small: bool = False,
    ) -> None:
        """`compared` gives the numbers behind the reason; it is called once, for the smallest failing example.

        `traceback` is where the submission raised, if it did. `is_fact` says that the hint follows from what was
        measured, whatever else may be wrong with the submission. `is_small` says that the error may be in digits that
        a printed tensor does not show.
        """
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.got = got
        self.expected = expected
        self.misconception = misconception
        self.compared = compared
        self.traceback = traceback
        self.is_fact = is_fact
        self.is_small = is_small
        self.undecided: list[str] = []
        """names of the misconceptions that explain every answer, if there are several"""
        self.explain: Callable[[], list[Callable[..., object]]] | None = None
        """finds the misconceptions that explain the numbers; costly, so called once, after all examples"""

    def recognise(self) -> None:
        """Take hint and name from the misconception, if exactly one explains every answer so far."""
        misconceptions = self.explain() if self.explain is not None else []
        if len(misconceptions) == 1:
            self.hint = inspect.cleandoc(misconceptions[0].__doc__ or "")
            self.misconception = misconceptions[0].__name__
        else:
            self.undecided = [misconception.__name__ for misconception in misconceptions]

    def text(self, reveal: Reveal) -> str:
        """The reason as a student may read it."""
        parts = [self.reason]
        if reveal is not Reveal.NOTHING and self.got:
            parts.append(self.got)
        if reveal is Reveal.EXPECTED and self.expected:
            parts.append(self.expected)
        return ": ".join([parts[0], ", ".join(parts[1:])]) if parts[1:] else parts[0]


def hide_unrevealed(comparison: Comparison | None, reveal: Reveal) -> Comparison | None:
    """What a student may see of the numbers: where the answer is wrong tells less than by how much."""
    if comparison is None or reveal is Reveal.NOTHING:
        return None
    return comparison if reveal is Reveal.EXPECTED else msgspec.structs.replace(comparison, expected=[])


def expect(condition: bool, reason: str, hint: str = "") -> None:
    """Fail the check with `reason` and `hint` unless `condition` holds: one bool, not a tensor of several.

    Of a bare `assert` a student reads only the message.

    Example:
        # In the notebook
        def causal_weights(scores):
            return torch.softmax(scores, -1).tril()

        # In the hidden test
        @check(points=1)
        @given(tensors((3, 3)))
        def test_rows(student, scores):
            '''each row of weights sums to 1'''
            sums = student.causal_weights(scores).sum(-1)
            right = torch.allclose(sums, torch.ones(3), atol=1e-5)
            expect(right, "a row of weights does not sum to 1", "Mask before the softmax, not after it.")

        # A student reads
        # a row of weights does not sum to 1
        # hint: Mask before the softmax, not after it.
    """
    if not condition:
        raise Mismatch(reason, hint)

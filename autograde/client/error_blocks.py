"""Blocks of a check in which the student's code may fail: it must raise, or its failure gets a hint."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.exception_names import public_type

PlainCase = Callable[[], object]


class ErrorBlocks:
    """The part of `student` that knows what became of the exercise's earlier checks."""

    def __init__(self) -> None:
        self._earlier: Mapping[str, bool] = {}
        """check -> did it pass: the checks of this exercise that ran before, in their order"""

    @contextlib.contextmanager
    def raises(self, *expected: type[BaseException], hint: str = "") -> Iterator[None]:
        """A block in which the student's code must raise one of `expected` or a subclass; else Mismatch with `hint`.

        Classes are compared by name, so an exception that the notebook defines is expected by a class of the same
        name. A missing function or an unwritten stub does not count as raising. If another exception is raised, `hint`
        is given only if the exercise's first check passed: else something else may be wrong.

        Example:
            # In the notebook
            def split_heads(x, n_heads):
                width = x.shape[-1] // n_heads
                return x[..., : n_heads * width].unflatten(-1, (n_heads, width))

            # In the hidden test
            @check(points=1)
            def test_width(student):
                '''a width that the heads do not divide is refused'''
                with student.raises(ValueError, hint="Check `width % n_heads` and raise ValueError."):
                    student.split_heads(torch.zeros(2, 7), 3)

            # A student reads
            # expected a ValueError, but your code raised nothing
            # hint: Check `width % n_heads` and raise ValueError.
        """
        names = {public_type(cls).__name__ for cls in expected}
        wanted = " or ".join(sorted(names))
        try:
            yield
        except StudentError as error:
            if error.missing or error.not_written:
                raise
            if not names & set(error.types):
                reason = f"expected a {wanted}, but your code raised {error.types[0]}"
                hint = hint if self._works(None, ()) else ""
                raise Mismatch(reason, hint, traceback=error.traceback, is_fact=True) from None
        else:
            raise Mismatch(f"expected a {wanted}, but your code raised nothing", hint, is_fact=True)

    @contextlib.contextmanager
    def hint(
        self,
        hint: str,
        *,
        after: Callable[..., Any] | None = None,
        plain: PlainCase | Sequence[PlainCase] = (),
        case: str = "this case",
    ) -> Iterator[None]:
        """A block whose failure gets `hint`, but only if the plain case works, so that the case itself is to blame.

        The plain case is the check `after`, or else the exercise's first check: it must have passed. Instead, `plain`
        may make a simpler call, which must not raise, or be several of which one must not; they are tried only after a
        failure. `case` says what is special about the block. An unwritten stub and a missing name pass through, and so
        does a failure that has a hint of its own.

        Example:
            # In the notebook
            def total(numbers):
                result = numbers[0]
                for number in numbers[1:]:
                    result = result + number
                return result

            # In the hidden test
            @check(points=1)
            def test_sum(student):
                '''numbers are added up'''
                expect(student.total([1, 2]) == 3, "1 and 2 is not 3")

            @check(points=1)
            def test_empty(student):
                '''the sum of nothing is 0'''
                with student.hint("Begin with 0, and add every number to it.", case="an empty list"):
                    expect(student.total([]) == 0, "the sum of nothing is not 0")

            # A student reads
            # an empty list raised IndexError: list index out of range
            # hint: Begin with 0, and add every number to it.
        """
        try:
            yield
        except StudentError as error:
            if error.missing or error.not_written or not self._works(after, plain):
                raise
            raise Mismatch(f"{case} raised {error}", hint, traceback=error.traceback, is_fact=True) from None
        except Mismatch as mismatch:
            if not mismatch.hint and self._works(after, plain):
                mismatch.hint, mismatch.is_fact = hint, True
            raise

    def _works(self, after: Callable[..., Any] | None, plain: PlainCase | Sequence[PlainCase]) -> bool:
        """Does the plain case work?"""
        if not plain:
            name = after.__name__ if after else next(iter(self._earlier), "")
            return self._earlier.get(name, False)
        return any(map(_does_not_raise, [plain] if callable(plain) else plain))


def _does_not_raise(case: PlainCase) -> bool:
    try:
        case()
    except (StudentError, AssertionError):
        return False
    return True

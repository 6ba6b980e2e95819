"""The ways in which a request to a submission ends without an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autograde.text import clean

DISTURBED = "your code disturbed the grader's connection"


class StudentError(Exception):
    """The student's code raised. Catch it only where raising may be right; otherwise the engine reports it.

    To explain an error to a student, use `student.hint`.

    `types` are the names of the exception's class and of its base classes, itself first. `message` is its text.
    `frames` are (cell, line, source) of the notebook's lines that led to it, outermost first. `missing` is True if
    the notebook does not define what was asked for. `not_written` is True if a stub's own `raise NotImplementedError`
    was reached: torch raises that class for other reasons too.

    Example:
        # In the notebook
        def mean_of(numbers):
            return sum(numbers) / len(numbers)

        # In the hidden test
        @check(points=1)
        def test_empty(student):
            '''the mean of nothing is 0, or an error that says so'''
            try:
                found = student.mean_of([])
            except StudentError as error:
                if error.types[0] != "ZeroDivisionError":
                    raise
                found = 0.0
            expect(found == 0, f"the mean of nothing is {found}")
    """

    def __init__(self, types: list[str], message: str, frames: list[tuple[str, int, str]], missing: bool) -> None:
        super().__init__(f"{types[0]}: {message}" if message else types[0])
        self.types = types
        self.message = message
        self.frames = frames
        self.missing = missing

    @property
    def not_written(self) -> bool:
        if self.types[0] != "NotImplementedError":
            return False
        line = self.frames[-1][2] if self.frames else ""
        return "NotImplementedError" in line if line else not self.message

    @property
    def traceback(self) -> str:
        return "\n".join(f"cell {cell}, line {line}: {text}" for cell, line, text in self.frames)


class WorkerLostError(BaseException):
    """The worker is gone. Not an Exception: Hypothesis must not try to shrink what killed it."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class OffScriptError(BaseException):
    """The check makes another request than was sent ahead. Not an Exception: no test may catch it."""


def parse_student_error(error: Any) -> StudentError:
    """From the reply of a worker; WorkerLostError if it has another form, which our side never writes."""
    match error:
        case {"types": [str(), *_] as types, "message": str(message), "frames": list(frames), "missing": bool(missing)}:
            names = [clean(str(name), 80) for name in types]
            lines = [(clean(str(c), 80), int(n), clean(str(t), 200)) for c, n, t in _list_frames(frames)]
            return StudentError(names, clean(message, 1000), lines, missing)
    raise WorkerLostError(DISTURBED)


def _list_frames(frames: list[Any]) -> Iterator[tuple[Any, int, Any]]:
    for frame in frames[:20]:
        if isinstance(frame, list) and len(frame) == 3 and type(frame[1]) is int:
            yield frame[0], frame[1], frame[2]

"""The ways in which asking a submission ends without an answer."""

from __future__ import annotations

DISTURBED = "your code disturbed the grader's connection"


class StudentError(Exception):
    """The submission raised: what, with its own traceback. `types` are the exception's class names, itself first."""

    def __init__(self, types: list[str], message: str, frames: list[tuple[str, int, str]], missing: bool) -> None:
        super().__init__(f"{types[0]}: {message}" if message else types[0])
        self.types = types
        self.message = message
        self.frames = frames
        self.missing = missing

    @property
    def traceback(self) -> str:
        return "\n".join(f"cell {cell}, line {line}: {text}" for cell, line, text in self.frames)


class WorkerLostError(BaseException):
    """The worker is gone. Not an Exception: Hypothesis must not try to shrink what killed it."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class OffScriptError(BaseException):
    """The check asks something else than was sent ahead. Not an Exception: no test may catch it."""

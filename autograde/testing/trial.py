"""A trial: one submission answering one check, and what the comparisons in it need to know besides their arguments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from autograde.client.student import Student
from autograde.testing.decoys import Decoy
from autograde.testing.diagnosis import Evidence


@dataclass
class Trial:
    """What one run of a check knows and collects."""

    student: Student | None = None
    evidence: Evidence = field(default_factory=Evidence)
    """the answers of the submission so far, also those to earlier checks"""
    decoy: Decoy | None = None
    """gives the answers to compare instead of the submission's, if there is one"""
    check: str = ""
    """the name of the check"""
    error_ratios: list[float] = field(default_factory=list)
    """the largest error of each comparison, in units of what is allowed"""

    @property
    def last_target(self) -> str:
        """The submission's function that was called last; empty before the first call."""
        return "" if self.student is None else self.student._rpc.last_target

    def restart(self, student: Student) -> Trial:
        """The same trial, from the start, in another fork of the submission."""
        return replace(self, student=student, error_ratios=[])


_current: ContextVar[Trial] = ContextVar("trial")


def current_trial() -> Trial:
    """The trial that runs now. Outside a check it is a new one, so each comparison is judged by itself."""
    return _current.get(None) or Trial()


@contextmanager
def run_trial(started: Trial) -> Iterator[Trial]:
    """A block whose comparisons belong to this trial."""
    token = _current.set(started)
    try:
        yield started
    finally:
        _current.reset(token)

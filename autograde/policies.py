"""What a course decides for all its assignments: limits, confinement, late work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Limits:
    """What one submission may use. A check that needs more names it in its assignment."""

    check_cpu_s: float = 20.0
    """processor seconds of one check, all its examples together"""
    check_wall_s: float = 60.0
    """seconds one check may take by the clock; generous, because machines are shared"""
    cell_wall_s: float = 30.0
    """seconds one notebook cell may run before it is interrupted"""
    notebook_wall_s: float = 120.0
    """seconds the whole notebook may run before the worker is killed"""
    memory_bytes: int = 2 << 30
    """memory a worker may allocate above what the zygote already holds"""
    file_bytes: int = 64 << 20
    """size of one file that a submission may write"""
    scratch_bytes: int = 256 << 20
    """what all files that it keeps may hold together; they lie in memory where it has a file tree of its own"""
    output_bytes: int = 1 << 20
    """what all cells together may print or display; one cell at most about 1 MB, the size of a frame"""
    notebook_bytes: int = 20 << 20
    """size of a submitted file; a larger one is refused unread"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"Limits: {name}={value!r}; a limit is more than nothing")
            if name.endswith("_bytes") and not isinstance(value, int):
                raise ValueError(f"Limits: {name}={value!r}; bytes are a whole number, such as 2 << 30")


class Confinement(Enum):
    """Whether submissions may run where the machine cannot confine them; see docs/threat-model.md."""

    REQUIRED = "required"
    WEAKER_ACCEPTED = "weaker accepted"


class Experiments(Enum):
    """What happens with the author's cells behind the last answer, which no check looks at.

    AS_HANDED_IN: they are shown as the student ran them, where the file says that they ran last; else they run.
    RUN_AGAIN: they always run, which often takes longer than all checks.
    """

    AS_HANDED_IN = "as handed in"
    RUN_AGAIN = "run again"


@dataclass(frozen=True)
class Late:
    """Points lost per day begun after the deadline, as a share of the score, after a grace period."""

    per_day: float = 0.0
    at_most: float = 1.0
    grace_minutes: float = 10.0

    def __post_init__(self) -> None:
        for name in ("per_day", "at_most"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"Late: {name}={getattr(self, name)!r}; it is a share of the score, so 0.1 for 10 %")
        if self.grace_minutes < 0:
            raise ValueError(f"Late: grace_minutes={self.grace_minutes!r}; it cannot be negative")

    def penalty(self, score: float, seconds_late: float) -> float:
        """The points to subtract from `score` for a submission that is `seconds_late` late."""
        late = seconds_late - 60 * self.grace_minutes
        if late <= 0:
            return 0.0
        days_begun = -(-late // 86400)
        return score * min(self.per_day * days_begun, self.at_most)

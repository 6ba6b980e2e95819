"""Settings of a course for all its assignments: limits, confinement, experiments, late work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Limits:
    """Resource limits of one submission. An assignment whose checks need more sets its own limits."""

    check_cpu_s: float = 20.0
    """CPU seconds that one check may use, for all its examples together"""
    check_wall_s: float = 60.0
    """wall-clock seconds that one check may take; generous, because machines are shared"""
    cell_wall_s: float = 30.0
    """wall-clock seconds that one notebook cell may run before it is interrupted"""
    notebook_wall_s: float = 120.0
    """wall-clock seconds that the complete notebook may run before the worker is killed"""
    memory_bytes: int = 2 << 30
    """memory that a worker may allocate in addition to the zygote's memory"""
    file_bytes: int = 64 << 20
    """maximum size of one file that a submission writes"""
    scratch_bytes: int = 256 << 20
    """maximum total size of a submission's files at any time; with a private file tree they are in memory"""
    output_bytes: int = 1 << 20
    """maximum output of all cells together; the output of one cell is also limited to one frame, about 1 MB"""
    notebook_bytes: int = 20 << 20
    """maximum size of a submitted file; a larger file is refused without being read"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"Limits: {name}={value!r}; a limit must be greater than 0")
            if name.endswith("_bytes") and not isinstance(value, int):
                raise ValueError(f"Limits: {name}={value!r}; a number of bytes must be an int, such as 2 << 30")


class Confinement(Enum):
    """Whether submissions are run on a machine that cannot confine them; see docs/threat-model.md."""

    REQUIRED = "required"
    WEAKER_ACCEPTED = "weaker accepted"


class Experiments(Enum):
    """Whether to run the author's cells after the last answer, which no check uses.

    AS_SUBMITTED: show the submitted outputs if the file says that these cells ran last; otherwise run them.
    RUN_AGAIN: always run them, which often takes longer than all checks.
    """

    AS_SUBMITTED = "as submitted"
    RUN_AGAIN = "run again"


@dataclass(frozen=True)
class Late:
    """The penalty for late submissions: a share of the score for each started day after a grace period."""

    per_day: float = 0.0
    at_most: float = 1.0
    grace_minutes: float = 10.0

    def __post_init__(self) -> None:
        for name in ("per_day", "at_most"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"Late: {name}={getattr(self, name)!r}; it must be a share of the score, such as 0.1 for 10 %"
                )
        if self.grace_minutes < 0:
            raise ValueError(f"Late: grace_minutes={self.grace_minutes!r}; it must not be negative")

    def penalty(self, score: float, seconds_late: float) -> float:
        """Return the points to subtract from `score` for a submission that is `seconds_late` seconds late."""
        late = seconds_late - 60 * self.grace_minutes
        if late <= 0:
            return 0.0
        days_begun = -(-late // 86400)
        return score * min(self.per_day * days_begun, self.at_most)

"""What a grader is asked besides a submission: how this grading differs from the course's; `course verify` asks it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ListMisconceptions:
    """Asks a grader, instead of an order, for the misconceptions that its tests define."""


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """run checks that would wait, as `course verify` does to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    decoy: str = ""
    """answers instead of the submission's: one of `verify`'s decoys, or the holder of the misconception so named"""

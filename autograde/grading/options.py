"""What `course verify` sends to a grader besides submissions: how a grading run differs from the course's defaults."""

from __future__ import annotations

from dataclasses import dataclass

from autograde.notebooks.extract import Submission


@dataclass(frozen=True)
class ListMisconceptions:
    """Sent to a grader instead of an order: asks for the misconceptions that its tests define."""


@dataclass(frozen=True)
class SeparateMisconceptions:
    """Sent to a grader instead of an order: asks for the example that tells each misconception from its nearest."""

    solution: Submission


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """also run checks that would wait for others, to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    decoy: str = ""
    """answers to use instead of the submission's: the name of one of `verify`'s decoys or of a misconception"""

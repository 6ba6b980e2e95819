"""What one grading run may do otherwise than the course says; `course verify` does."""

from __future__ import annotations

from dataclasses import dataclass


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

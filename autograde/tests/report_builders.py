"""Reports and verdicts of the exercise `scale`, as grading would give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograde.report import ExerciseReport, Outcome, Report, Verdict
from autograde.tests.tiny_course import SLUG


def make_verdict(
    check: str = "test_products", outcome: Outcome = Outcome.PASSED, *, max_points: float = 1.0, **fields: Any
) -> Verdict:
    """A verdict on `check`: full points if it passed, otherwise none. `fields` are added, or given instead."""
    points = max_points if outcome is Outcome.PASSED else 0.0
    defaults: dict[str, Any] = {"title": check, "outcome": outcome, "points": points, "max_points": max_points}
    return Verdict(check=check, **(defaults | fields))


def make_report(
    student: str = "ada", verdicts: Sequence[Verdict] | None = None, *, points: float = 4.0, **fields: Any
) -> Report:
    """A report with these verdicts; without any given, with one that gives `points` of 4.

    `fields` are added, or given instead.
    """
    if verdicts is None:
        outcome = Outcome.PASSED if points == 4 else Outcome.FAILED
        verdicts = [make_verdict(outcome=outcome, title="any number is scaled", points=points, max_points=4.0)]
    exercise = ExerciseReport(exercise="scale", verdicts=list(verdicts))
    return Report(**({"assignment": SLUG, "student": student, "digest": "d", "exercises": [exercise]} | fields))


def make_withheld_report(student: str = "ada") -> Report:
    """A report that becomes no grade, because its check is broken."""
    return make_report(student, [make_verdict("t", Outcome.BROKEN, max_points=4, reason="oops")])

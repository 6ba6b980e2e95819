"""Reads from the gradebook who was late and which answers need manual marking."""

from __future__ import annotations

from dataclasses import dataclass

from autograde.course import Work
from autograde.records.database import CourseGradebook, database_errors, has_gradebook


@dataclass(frozen=True)
class GradebookStatus:
    """One student's submission in the gradebook."""

    late_s: float = 0.0
    to_mark: tuple[str, ...] = ()
    """names of the answers that are not marked yet"""
    submission: str = ""
    """its id in formgrader's URLs"""


def read_gradebook_statuses(work: Work) -> dict[str, GradebookStatus]:
    """The status of each student; empty if there is no gradebook yet."""
    if not has_gradebook(work.course):
        return {}
    found = {}
    with database_errors(work.course), CourseGradebook(work.course) as gradebook:
        for submission in gradebook.assignment_submissions(work.slug):
            notebooks = list(submission.notebooks)
            found[submission.student.id] = GradebookStatus(
                late_s=submission.total_seconds_late,
                to_mark=_unmarked(notebooks) if submission.needs_manual_grade else (),
                submission=notebooks[0].id if notebooks else "",
            )
    return found


def _unmarked(notebooks: list[object]) -> tuple[str, ...]:
    grades = [grade for notebook in notebooks for grade in notebook.grades]  # type: ignore[attr-defined]
    return tuple(sorted(grade.name for grade in grades if grade.needs_manual_grade))

"""The page and the table for reviewing a regrading before students see its results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from autograde.course import Work
from autograde.disk import write_atomically
from autograde.pages.feedback import count_outcomes, points_text
from autograde.pages.staff_page import csv_text, staff_page
from autograde.records.audit_log import stored_report
from autograde.records.grade_changes import Change, changes, exercises_text
from autograde.report import Report
from autograde.reports.class_status import ClassStatus, read_class_status
from autograde.text import plain

PARTS = {
    "submission": "the submitted work",
    "release": "the released notebook",
    "checks": "the checks",
    "policies": "the course's policies",
    "engine": "the grader's version",
}
"""phrases for the ways in which two gradings may differ"""


def write_changes(work: Work, formgrader: str = "") -> list[Change]:
    """Write reports/<slug>-changes.html and .csv for review; without changes there are no such files."""
    found, paths = changes(work), work.paths
    if not found:
        for path in (paths.changes_page, paths.changes):
            path.unlink(missing_ok=True)
        return found
    reports = {change.student: stored_report(paths.report(change.student)) for change in found}
    status = read_class_status(work, formgrader)
    title = work.title
    write_atomically(paths.changes_page, changes_page(title, found, reports, status, paths.class_page.exists()))
    write_atomically(paths.changes, changes_table(found))
    return found


def changes_table(found: Sequence[Change]) -> str:
    """One row for each student whose points differ, as CSV."""
    return csv_text(
        ["student", "before", "after", "change", "exercises", "because"],
        (
            (c.student, c.before, c.after, round(c.after - c.before, 6), exercises_text(c), ", ".join(c.because))
            for c in found
        ),
    )


def changes_page(
    title: str, found: Sequence[Change], reports: dict[str, Report | None], status: ClassStatus, has_class_page: bool
) -> str:
    """The page as HTML; students who lose points come first."""
    ordered = sorted(found, key=lambda change: change.after - change.before)
    gains = [change.after - change.before for change in ordered]
    return staff_page(
        "changes.html.j2",
        title=plain(title),
        slug=status.slug,
        has_class_page=has_class_page,
        count=len(found),
        gain=sum(gain > 0 for gain in gains),
        lose=[status.person(change.student) for change in ordered if change.after < change.before],
        alike=_alike(ordered, status),
        rows=[_row(change, reports.get(change.student), status) for change in ordered],
    )


def _alike(found: Sequence[Change], status: ClassStatus) -> list[dict[str, Any]]:
    """Count the students with the same change: after one check was fixed, most of a class changes alike."""
    groups: dict[tuple[str, float, float], list[dict[str, str]]] = defaultdict(list)
    for change in found:
        for exercise, (before, after) in change.exercises.items():
            groups[exercise, before, after].append(status.person(change.student))
    return [
        {"exercise": plain(exercise), "before": points_text(before), "after": points_text(after), "who": who}
        for (exercise, before, after), who in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def _row(change: Change, report: Report | None, status: ClassStatus) -> dict[str, Any]:
    now = {exercise.exercise: count_outcomes(exercise) for exercise in report.exercises} if report else {}
    return {
        **status.person(change.student),
        "read": change.student in status.with_feedback,
        "before": points_text(change.before),
        "after": points_text(change.after),
        "change": f"{change.after - change.before:+.4g}".replace("-", "−"),
        "exercises": [
            {"name": plain(name), "before": points_text(before), "after": points_text(after), "now": now.get(name, "")}
            for name, (before, after) in change.exercises.items()
        ],
        "because": ", ".join(PARTS[part] for part in change.because),
    }

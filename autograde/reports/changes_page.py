"""The page and the table for reviewing a regrading before students see its results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from autograde.course import Work
from autograde.disk import write_atomically
from autograde.pages.feedback import count_outcomes, format_points
from autograde.pages.staff_page import format_csv, render_staff_page
from autograde.records.audit_log import read_stored_report
from autograde.records.grade_changes import Change, exercises_text, find_changes
from autograde.report import Report
from autograde.reports.class_status import ClassStatus, read_class_status
from autograde.text import to_plain_text

PARTS = {
    "submission": "the submitted work",
    "release": "the released notebook",
    "checks": "the checks",
    "policies": "the course's policies",
    "engine": "the grader's version",
}
"""phrases for the ways in which two gradings may differ"""


def write_changes(work: Work, formgrader: str = "") -> list[Change]:
    """Write reports/<slug>-changes.html and .csv for review, or delete them if nothing has changed."""
    found, paths = find_changes(work), work.paths
    if not found:
        for path in (paths.changes_page, paths.changes):
            path.unlink(missing_ok=True)
        return found
    reports = {change.student: read_stored_report(paths.report(change.student)) for change in found}
    status = read_class_status(work, formgrader)
    title = work.title
    write_atomically(paths.changes_page, render_changes_page(title, found, reports, status, paths.class_page.exists()))
    write_atomically(paths.changes, format_changes_table(found))
    return found


def format_changes_table(found: Sequence[Change]) -> str:
    """Format one row for each student whose points differ as CSV."""
    return format_csv(
        ["student", "before", "after", "change", "exercises", "because"],
        (
            (c.student, c.before, c.after, round(c.after - c.before, 6), exercises_text(c), ", ".join(c.because))
            for c in found
        ),
    )


def render_changes_page(
    title: str, found: Sequence[Change], reports: dict[str, Report | None], status: ClassStatus, has_class_page: bool
) -> str:
    """Render the page as HTML; students who lose points come first."""
    ordered = sorted(found, key=lambda change: change.after - change.before)
    gains = [change.after - change.before for change in ordered]
    return render_staff_page(
        "changes.html.j2",
        title=to_plain_text(title),
        slug=status.slug,
        has_class_page=has_class_page,
        count=len(found),
        gain=sum(gain > 0 for gain in gains),
        lose=[status.link_student(change.student) for change in ordered if change.after < change.before],
        alike=_group_equal_changes(ordered, status),
        rows=[_describe_change(change, reports.get(change.student), status) for change in ordered],
    )


def _group_equal_changes(found: Sequence[Change], status: ClassStatus) -> list[dict[str, Any]]:
    """Group the students by change: after a check was fixed, most of a class has the same change."""
    groups: dict[tuple[str, float, float], list[dict[str, str]]] = defaultdict(list)
    for change in found:
        for exercise, (before, after) in change.exercises.items():
            groups[exercise, before, after].append(status.link_student(change.student))
    return [
        {
            "exercise": to_plain_text(exercise),
            "before": format_points(before),
            "after": format_points(after),
            "who": who,
        }
        for (exercise, before, after), who in sorted(groups.items(), key=lambda group: -len(group[1]))
    ]


def _describe_change(change: Change, report: Report | None, status: ClassStatus) -> dict[str, Any]:
    now = {exercise.exercise: count_outcomes(exercise) for exercise in report.exercises} if report else {}
    return {
        **status.link_student(change.student),
        "read": change.student in status.with_feedback,
        "before": format_points(change.before),
        "after": format_points(change.after),
        "change": f"{change.after - change.before:+.4g}".replace("-", "−"),
        "exercises": [
            {
                "name": to_plain_text(name),
                "before": format_points(before),
                "after": format_points(after),
                "now": now.get(name, ""),
            }
            for name, (before, after) in change.exercises.items()
        ],
        "because": ", ".join(PARTS[part] for part in change.because),
    }

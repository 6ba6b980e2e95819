"""Writes the TA's page about one assignment, and its tables as CSV.

Both are made from the reports, so they can be written again at any time; manual marking comes from the gradebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograde.course import CourseError, Work
from autograde.disk import write_atomically
from autograde.pages.staff_page import format_csv
from autograde.report import Outcome, Report, decode_report, group_students_by_hint
from autograde.reports.changes_page import write_changes
from autograde.reports.class_page import render_class_page
from autograde.reports.class_status import read_class_status, read_unfinished
from autograde.reports.item_statistics import compute_items


def write_class_report(work: Work, formgrader: str = "") -> list[Path]:
    """Write reports/<slug>.html and its tables as CSV, from the submissions graded so far."""
    slug, reports = work.slug, read_reports(work)
    if not reports:
        raise CourseError(f"no reports in {work.paths.reports}; run `course grade {slug}`")
    graded = [report.student for report in reports]
    status, unfinished = read_class_status(work, formgrader), read_unfinished(work, graded)
    texts = {
        f"{slug}.html": render_class_page(work.title, reports, status, unfinished),
        f"{slug}.csv": format_class_table(reports),
        f"{slug}-checks.csv": format_checks_table(reports),
        f"{slug}-misconceptions.csv": format_misconceptions_table(reports),
    }
    paths = [work.course.root / "reports" / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_atomically(path, text)
    write_changes(work, formgrader)  # the class page links to it
    return paths


def read_reports(work: Work) -> list[Report]:
    """Read the reports of an assignment, sorted by student. CourseError if one is damaged."""
    reports = []
    for path in sorted(work.paths.reports.glob("*.json")):
        try:
            reports.append(decode_report(path.read_bytes()))
        except ValueError as error:
            remedy = f"run `course grade {work.slug}` to write it again"
            raise CourseError(f"{path}: not a valid report ({error}); {remedy}") from error
    return reports


def format_class_table(reports: Sequence[Report]) -> str:
    """Format one row for each student and check as CSV."""
    header = ["student", "exercise", "check", "outcome", "points", "max_points", "misconception", "margin"]
    return format_csv(
        header,
        (
            (r.student, e.exercise, v.check, v.outcome.value, v.points, v.max_points, v.misconception,
             "" if v.margin is None else v.margin)
            for r in reports for e in r.exercises for v in e.verdicts
        ),
    )  # fmt: skip


def format_checks_table(reports: Sequence[Report]) -> str:
    """Format one row for each check as CSV."""
    header = ["exercise", "check", "title", "difficulty", "discrimination", *(outcome.value for outcome in Outcome)]
    return format_csv(
        header,
        (
            (*key, item.title, round(item.difficulty, 4),
             "" if item.discrimination is None else round(item.discrimination, 4),
             *(item.outcomes[outcome] for outcome in Outcome))
            for key, item in compute_items(reports).items()
        ),
    )  # fmt: skip


def format_misconceptions_table(reports: Sequence[Report]) -> str:
    """Format one row for each misconception and student who has it as CSV."""
    return format_csv(
        ["misconception", "student"],
        ((hint, student) for hint, who in group_students_by_hint(reports) for student in who),
    )

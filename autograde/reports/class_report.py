"""Writes the TA's page about one assignment, and its tables as CSV.

Both are made from the reports, so they can be written again at any time; manual marking comes from the gradebook.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograde.course import CourseError, Work
from autograde.disk import write_atomically
from autograde.pages.staff_page import csv_text
from autograde.report import Outcome, Report, decode_report, group_students_by_hint
from autograde.reports.changes_page import write_changes
from autograde.reports.class_page import class_page
from autograde.reports.class_status import read_class_status, unfinished
from autograde.reports.item_statistics import items


def write_class_report(work: Work, formgrader: str = "") -> list[Path]:
    """Write reports/<slug>.html and its tables as CSV, from the submissions graded so far."""
    slug, reports = work.slug, read_reports(work)
    if not reports:
        raise CourseError(f"no reports in {work.paths.reports}; run `course grade {slug}`")
    graded = [report.student for report in reports]
    status, left = read_class_status(work, formgrader), unfinished(work, graded)
    texts = {
        f"{slug}.html": class_page(work.title, reports, status, left),
        f"{slug}.csv": class_table(reports),
        f"{slug}-checks.csv": checks_table(reports),
        f"{slug}-ideas.csv": misconceptions_table(reports),
    }
    paths = [work.course.root / "reports" / name for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_atomically(path, text)
    write_changes(work, formgrader)  # the class page links to it
    return paths


def read_reports(work: Work) -> list[Report]:
    """The reports of an assignment, sorted by student; raises CourseError if one is damaged."""
    reports = []
    for path in sorted(work.paths.reports.glob("*.json")):
        try:
            reports.append(decode_report(path.read_bytes()))
        except ValueError as error:
            remedy = f"run `course grade {work.slug}`, which makes it anew"
            raise CourseError(f"{path}: no report ({error}); {remedy}") from error
    return reports


def class_table(reports: Sequence[Report]) -> str:
    """One row for each student and check, as CSV."""
    header = ["student", "exercise", "check", "outcome", "points", "max_points", "misconception", "margin"]
    return csv_text(
        header,
        (
            (r.student, e.exercise, v.check, v.outcome.value, v.points, v.max_points, v.misconception,
             "" if v.margin is None else v.margin)
            for r in reports for e in r.exercises for v in e.verdicts
        ),
    )  # fmt: skip


def checks_table(reports: Sequence[Report]) -> str:
    """One row for each check, as CSV."""
    header = ["exercise", "check", "title", "difficulty", "discrimination", *(outcome.value for outcome in Outcome)]
    return csv_text(
        header,
        (
            (*key, item.title, round(item.difficulty, 4),
             "" if item.discrimination is None else round(item.discrimination, 4),
             *(item.outcomes[outcome] for outcome in Outcome))
            for key, item in items(reports).items()
        ),
    )  # fmt: skip


def misconceptions_table(reports: Sequence[Report]) -> str:
    """One row for each misconception and student who has it, as CSV."""
    return csv_text(
        ["idea", "student"], ((hint, student) for hint, who in group_students_by_hint(reports) for student in who)
    )

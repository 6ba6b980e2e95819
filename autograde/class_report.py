"""The TA's page about one assignment: who has what, which checks were hard, which wrong ideas are in the room.

Made from the reports alone, so it can be written again at any time. What a person has to mark comes from the gradebook.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograde.course import Course, CourseError
from autograde.disk import write_whole
from autograde.display import plain, template
from autograde.feedback import WORDS, points_text
from autograde.page import styles
from autograde.report import Outcome, Report, Verdict, decode_report, ideas

BINS = 10
LONGEST_BAR = 40
Key = tuple[str, str]
"""(exercise, check)"""


@dataclass(frozen=True)
class Item:
    """One check over the whole class."""

    exercise: str
    title: str
    outcomes: Counter[Outcome]
    difficulty: float
    """share of those who met the check and passed it"""
    discrimination: float | None
    """correlation of passing it with the points in all other checks; None if everybody did the same"""


def write_class_report(course: Course, slug: str) -> tuple[Path, Path]:
    """reports/<slug>.html and reports/<slug>.csv, from what has been graded."""
    assignment = course.assignment(slug)
    reports = read_reports(course, slug)
    if not reports:
        raise CourseError(f"no reports in {course.paths(slug).reports}; run `course grade {slug}`")
    page, table = (course.root / "reports" / f"{slug}.{kind}" for kind in ("html", "csv"))
    write_whole(page, class_page(assignment.title, slug, reports, marks_to_give(course, slug)))
    write_whole(table, class_table(reports))
    return page, table


def read_reports(course: Course, slug: str) -> list[Report]:
    """The reports of an assignment, by student."""
    paths = sorted(course.paths(slug).reports.glob("*.json"))
    return [decode_report(path.read_bytes()) for path in paths]


def marks_to_give(course: Course, slug: str) -> list[str]:
    """Students with an answer that a person has still to mark."""
    from nbgrader.api import Gradebook

    if not (course.root / "gradebook.db").exists():
        return []
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        submissions = gradebook.assignment_submissions(slug)
        return sorted(found.student.id for found in submissions if found.needs_manual_grade)


def class_table(reports: Sequence[Report]) -> str:
    """One row for each student and check, as CSV. No cell can be taken for a formula."""
    written = io.StringIO()
    rows = csv.writer(written)
    rows.writerow(["student", "exercise", "check", "outcome", "points", "max_points", "misconception"])
    for report in reports:
        for exercise in report.exercises:
            for v in exercise.verdicts:
                facts = (report.student, exercise.exercise, v.check, v.outcome.value, v.points, v.max_points)
                rows.writerow([harmless(fact) for fact in (*facts, v.misconception)])
    return written.getvalue()


def harmless(value: Any) -> str:
    """Text that a spreadsheet shows as it is, whatever a student's name begins with."""
    text = plain(value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") and not isinstance(value, float) else text


def class_page(title: str, slug: str, reports: Sequence[Report], to_mark: Iterable[str]) -> str:
    """The page as HTML: no script, no request to anywhere, every text escaped."""
    found = items(reports)
    marked = set(to_mark)
    shares = [report.score / report.max_score if report.max_score else 0.0 for report in reports]
    scores = [report.score for report in reports]
    page: str = template("class.html.j2").render(
        title=title,
        styles=styles(),
        count=len(reports),
        full=sum(report.score == report.max_score for report in reports),
        mean=points_text(statistics.mean(scores)),
        median=points_text(statistics.median(scores)),
        most=points_text(max(report.max_score for report in reports)),
        unconfined=[plain(report.student) for report in reports if report.unconfined],
        to_mark=[plain(student) for student in sorted(marked)],
        bins=_bins(shares),
        ideas=[(plain(hint), [_linked(student, slug) for student in who]) for hint, who in ideas(reports)],
        items=[_item_row(item) for item in found.values()],
        keys=[{"title": f"{item.exercise}: {item.title}"} for item in found.values()],
        rows=[_student_row(report, slug, found) for report in reports],
        words=[{"symbol": symbol, "word": word} for symbol, word in WORDS.values()],
        problems=[(_linked(r.student, slug), [plain(p, 300) for p in r.problems]) for r in reports if r.problems],
    )
    return page


def items(reports: Sequence[Report]) -> dict[Key, Item]:
    """Every check, in the order of the reports."""
    verdicts: dict[Key, list[tuple[Verdict, float]]] = defaultdict(list)
    for report in reports:
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                verdicts[exercise.exercise, verdict.check].append((verdict, report.score - verdict.points))
    return {key: _item(key[0], found) for key, found in verdicts.items()}


def _item(exercise: str, found: list[tuple[Verdict, float]]) -> Item:
    outcomes = Counter(verdict.outcome for verdict, _ in found)
    met = len(found) - outcomes[Outcome.WAITING]
    passed = [float(verdict.outcome is Outcome.PASSED) for verdict, _ in found]
    others = [rest for _, rest in found]
    varied = len(set(passed)) > 1 and len(set(others)) > 1
    return Item(
        exercise=exercise,
        title=found[0][0].title,
        outcomes=outcomes,
        difficulty=outcomes[Outcome.PASSED] / met if met else 0.0,
        discrimination=statistics.correlation(passed, others) if varied else None,
    )


def _bins(shares: list[float]) -> list[dict[str, Any]]:
    """Students by tenth of the points; the last bin holds full marks too."""
    counts = Counter(min(BINS - 1, int(share * BINS)) for share in shares)
    longest = max(counts.values(), default=1)
    return [
        {
            "range": f"{100 * number // BINS} to {100 * (number + 1) // BINS} %",
            "count": counts[number],
            "bar": "█" * round(LONGEST_BAR * counts[number] / longest),
        }
        for number in range(BINS)
    ]


def _item_row(item: Item) -> dict[str, Any]:
    counted = [f"{symbol} {item.outcomes[outcome]} {word}" for outcome, (symbol, word) in WORDS.items()]
    return {
        "exercise": item.exercise,
        "title": plain(item.title),
        "difficulty": f"{item.difficulty:.0%}",
        "discrimination": "" if item.discrimination is None else f"{item.discrimination:.2f}",
        "outcomes": ", ".join(text for text, outcome in zip(counted, WORDS, strict=True) if item.outcomes[outcome]),
    }


def _student_row(report: Report, slug: str, found: Mapping[Key, Item]) -> dict[str, Any]:
    outcomes = {(e.exercise, v.check): v.outcome for e in report.exercises for v in e.verdicts}
    met = [WORDS[outcomes[key]] if key in outcomes else ("", "not asked") for key in found]
    return {
        **_linked(report.student, slug),
        "score": f"{points_text(report.score)} / {points_text(report.max_score)}",
        "cells": [{"symbol": symbol, "word": word} for symbol, word in met],
    }


def _linked(student: str, slug: str) -> dict[str, str]:
    """A student's name, and where the page that they read lies from here."""
    return {"name": plain(student), "folder": student, "slug": slug}

"""The TA's page about the complete term: a row for each assignment and for each student."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograde.course import Course, CourseError
from autograde.disk import write_atomically
from autograde.pages.staff_page import csv_text, staff_page
from autograde.report import Report, group_students_by_hint
from autograde.reports.class_report import read_reports
from autograde.reports.class_status import ClassStatus, shown_feedback
from autograde.reports.item_statistics import hardest, items
from autograde.text import plain

BEHIND = 0.5
"""with less than this share of the points in two consecutive assignments a student may need help"""


@dataclass(frozen=True)
class Week:
    """One assignment's row. Shares are of the points that checks give, without written answers."""

    slug: str
    title: str
    shares: Mapping[str, float]
    """by student"""
    pages: Mapping[str, str]
    """by student: the link to their report"""
    hardest: str
    """the check that most students failed, and how many passed it"""
    misconception: str
    """the most common misconception, and how many students have it"""


def week(title: str, reports: Sequence[Report], status: ClassStatus) -> Week:
    hard = hardest(items(reports).values())[:1]
    held = group_students_by_hint(reports)
    return Week(
        slug=status.slug,
        title=title,
        pages={report.student: status.person(report.student)["href"] for report in reports},
        shares={report.student: report.score / report.max_score if report.max_score else 0.0 for report in reports},
        hardest="".join(f"{item.title} ({item.difficulty:.0%} passed)" for item in hard),
        misconception=f"{len(held[0][1])} × {held[0][0]}" if held else "",
    )


def write_term_report(course: Course) -> list[Path]:
    """reports/term.html and term.csv, for every assignment that has reports."""
    weeks = []
    for assignment in course.assignments:
        work = course.open(assignment.slug)
        if reports := read_reports(work):
            status = ClassStatus(work.slug, with_feedback=shown_feedback(work))
            weeks.append(week(work.title, reports, status))
    if not weeks:
        raise CourseError(f"no reports in {course.root / 'reports'}; run `course grade`")
    page, table = course.term_page, course.term_page.with_suffix(".csv")
    write_atomically(page, term_page(course.name, weeks))
    write_atomically(table, term_table(weeks))
    return [page, table]


def term_table(weeks: Sequence[Week]) -> str:
    """One row for each student, one column for each assignment: the share of its points."""
    rows = ([s, *(round(w.shares[s], 4) if s in w.shares else "" for w in weeks)] for s in _students(weeks))
    return csv_text(["student", *(week.slug for week in weeks)], rows)


def term_page(name: str, weeks: Sequence[Week]) -> str:
    """The page as HTML."""
    return staff_page(
        "term.html.j2",
        name=name,
        weeks=[_week_row(week) for week in weeks],
        rows=[_student_row(student, weeks) for student in _students(weeks)],
        behind=[_latest(student, weeks) for student in _students(weeks) if is_behind(student, weeks)],
    )


def is_behind(student: str, weeks: Sequence[Week]) -> bool:
    """Whether the student has less than half of the points in both of the last two assignments (0 if not submitted)."""
    last = weeks[-2:]
    return len(last) == 2 and all(week.shares.get(student, 0.0) < BEHIND for week in last)


def _students(weeks: Sequence[Week]) -> list[str]:
    return sorted({student for week in weeks for student in week.shares})


def _week_row(week: Week) -> dict[str, Any]:
    shares = list(week.shares.values())
    return {
        "slug": week.slug,
        "title": plain(week.title),
        "count": len(shares),
        "full": sum(share == 1 for share in shares),
        "median": f"{statistics.median(shares):.0%}",
        "hardest": plain(week.hardest),
        "misconception": plain(week.misconception),
    }


def _student_row(student: str, weeks: Sequence[Week]) -> dict[str, Any]:
    shares = [week.shares.get(student) for week in weeks]
    return {
        "name": plain(student, 200),
        "mean": f"{statistics.mean(share or 0.0 for share in shares):.0%}",
        "cells": [
            {"share": "–" if share is None else f"{share:.0%}", "href": week.pages.get(student, "")}
            for share, week in zip(shares, weeks, strict=True)
        ],
    }


def _latest(student: str, weeks: Sequence[Week]) -> dict[str, str]:
    """The student's name, and the link to their latest report."""
    href = next(week.pages[student] for week in reversed(weeks) if student in week.pages)
    return {"name": plain(student, 200), "href": href}

"""The TA's page about the complete term: a row for each assignment and for each student."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograde.course import Course, CourseError
from autograde.disk import write_atomically
from autograde.pages.staff_page import format_csv, render_staff_page
from autograde.report import Report, group_students_by_hint
from autograde.reports.class_report import read_reports
from autograde.reports.class_status import ClassStatus, list_students_with_feedback
from autograde.reports.item_statistics import compute_items, find_hardest
from autograde.text import to_plain_text

BEHIND = 0.5
"""with less than this share of the points in two consecutive assignments a student may need help"""


@dataclass(frozen=True)
class AssignmentSummary:
    """One assignment over the class. Shares are of the points that checks give, without written answers."""

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


def summarise_assignment(title: str, reports: Sequence[Report], status: ClassStatus) -> AssignmentSummary:
    most_failed = find_hardest(compute_items(reports).values())[:1]
    by_hint = group_students_by_hint(reports)
    return AssignmentSummary(
        slug=status.slug,
        title=title,
        pages={report.student: status.link_student(report.student)["href"] for report in reports},
        shares={report.student: report.score / report.max_score if report.max_score else 0.0 for report in reports},
        hardest="".join(f"{item.title} ({item.difficulty:.0%} passed)" for item in most_failed),
        misconception=f"{len(by_hint[0][1])} × {by_hint[0][0]}" if by_hint else "",
    )


def write_term_report(course: Course) -> list[Path]:
    """Write reports/term.html and term.csv, for every assignment that has reports."""
    summaries = []
    for assignment in course.assignments:
        work = course.open(assignment.slug)
        if reports := read_reports(work):
            status = ClassStatus(work.slug, with_feedback=list_students_with_feedback(work))
            summaries.append(summarise_assignment(work.title, reports, status))
    if not summaries:
        raise CourseError(f"no reports in {course.root / 'reports'}; run `course grade`")
    page, table = course.term_page, course.term_page.with_suffix(".csv")
    write_atomically(page, render_term_page(course.name, summaries))
    write_atomically(table, format_term_table(summaries))
    return [page, table]


def format_term_table(summaries: Sequence[AssignmentSummary]) -> str:
    """Format one row for each student, with one column for each assignment: the share of its points."""
    rows = (
        [student, *(round(each.shares[student], 4) if student in each.shares else "" for each in summaries)]
        for student in _list_students(summaries)
    )
    return format_csv(["student", *(summary.slug for summary in summaries)], rows)


def render_term_page(name: str, summaries: Sequence[AssignmentSummary]) -> str:
    """Render the page as HTML."""
    return render_staff_page(
        "term.html.j2",
        name=name,
        assignments=[_describe_assignment(summary) for summary in summaries],
        rows=[_describe_student(student, summaries) for student in _list_students(summaries)],
        behind=[
            _link_latest_report(student, summaries)
            for student in _list_students(summaries)
            if is_behind(student, summaries)
        ],
    )


def is_behind(student: str, summaries: Sequence[AssignmentSummary]) -> bool:
    """Does the student have less than half of the points in both of the last two assignments (0 if not submitted)?"""
    last = summaries[-2:]
    return len(last) == 2 and all(summary.shares.get(student, 0.0) < BEHIND for summary in last)


def _list_students(summaries: Sequence[AssignmentSummary]) -> list[str]:
    return sorted({student for summary in summaries for student in summary.shares})


def _describe_assignment(summary: AssignmentSummary) -> dict[str, Any]:
    shares = list(summary.shares.values())
    return {
        "slug": summary.slug,
        "title": to_plain_text(summary.title),
        "count": len(shares),
        "full": sum(share == 1 for share in shares),
        "median": f"{statistics.median(shares):.0%}",
        "hardest": to_plain_text(summary.hardest),
        "misconception": to_plain_text(summary.misconception),
    }


def _describe_student(student: str, summaries: Sequence[AssignmentSummary]) -> dict[str, Any]:
    shares = [summary.shares.get(student) for summary in summaries]
    return {
        "name": to_plain_text(student, 200),
        "mean": f"{statistics.mean(share or 0.0 for share in shares):.0%}",
        "cells": [
            {"share": "–" if share is None else f"{share:.0%}", "href": summary.pages.get(student, "")}
            for share, summary in zip(shares, summaries, strict=True)
        ],
    }


def _link_latest_report(student: str, summaries: Sequence[AssignmentSummary]) -> dict[str, str]:
    """Return the student's name and the link to their latest report."""
    href = next(summary.pages[student] for summary in reversed(summaries) if student in summary.pages)
    return {"name": to_plain_text(student, 200), "href": href}

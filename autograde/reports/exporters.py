"""Exports the gradebook for other systems: nbgrader export plugins for Canvas, for Moodle, and for nbgrader's columns.

`course export --for canvas` is `nbgrader export --exporter=autograde.reports.exporters.CanvasExport --to grades.csv`.
Layouts: Canvas, "How do I import grades in the Gradebook?"; Moodle, docs.moodle.org "Grade import".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.plugins import ExportPlugin
from sqlalchemy import func

from autograde.course import Course, CourseError
from autograde.disk import explain_os_error, write_atomically
from autograde.notebooks.nbgrader_settings import load_course_here
from autograde.pages.staff_page import format_csv
from autograde.records.database import CourseGradebook, database_errors, need_gradebook

Row = Sequence[Any]


@dataclass(frozen=True)
class Result:
    """One student's submission of one assignment."""

    timestamp: datetime | None
    """UTC"""
    raw_score: float
    penalty: float
    unmarked: bool
    """True if a part still needs manual marking"""

    @property
    def score(self) -> float:
        return max(0.0, self.raw_score - self.penalty)


@dataclass(frozen=True)
class Grades:
    """The grades to export; students and assignments in the gradebook's order."""

    students: list[Any]
    assignments: list[Any]
    results: dict[tuple[str, str], Result]
    """(assignment's name, student's id) -> result; without an entry, nothing was submitted"""

    def points(self, assignment: Any, student: Any) -> str:
        """Return the score, or an empty text, for which other systems keep their value."""
        result = self.results.get((assignment.name, student.id))
        return "" if result is None else _format_points(result.score)


class _Export(ExportPlugin):  # type: ignore[misc]
    """Writes `rows` as CSV, escaped so that spreadsheets read no cell as a formula."""

    default = "grades.csv"

    def export(self, gradebook: Gradebook) -> None:
        found = query_grades(gradebook, self.student, self.assignment)
        header, *rows = self.rows(found)
        write_atomically(Path(self.to or self.default), format_csv(header, rows))

    def rows(self, found: Grades) -> Iterator[Row]:
        raise NotImplementedError


class NbgraderExport(_Export):
    """The columns of nbgrader's CsvExportPlugin, with zero for missing submissions as in the original.

    Unlike the original it quotes cells, so that a name with a comma stays one cell, and queries the database once, not
    once for each student and assignment.
    """

    def rows(self, found: Grades) -> Iterator[Row]:
        yield (
            "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
            "late_submission_penalty", "score", "max_score",
        )  # fmt: skip
        nothing = Result(None, 0.0, 0.0, unmarked=False)
        for assignment in found.assignments:
            for student in found.students:
                result = found.results.get((assignment.name, student.id), nothing)
                yield (
                    assignment.name, assignment.duedate, result.timestamp, student.id, student.last_name,
                    student.first_name, student.email, result.raw_score, result.penalty, result.score,
                    assignment.max_score,
                )  # fmt: skip


class CanvasExport(_Export):
    """Canvas' gradebook import: one row per student, one column per assignment, and a first row of possible points.

    Canvas finds a student by its own number, which is nbgrader's `lms_user_id`, or by the login, which is the student's
    id here. It finds the assignment by its title.
    """

    default = "canvas.csv"

    def rows(self, found: Grades) -> Iterator[Row]:
        yield ("Student", "ID", "SIS User ID", "SIS Login ID", "Section", *_list_titles(found))
        yield ("    Points Possible", "", "", "", "", *(_format_points(a.max_score) for a in found.assignments))
        _refuse_repeated_ids(found.students, "Canvas")
        for student in found.students:
            name = ", ".join(part for part in (student.last_name, student.first_name) if part) or student.id
            number = student.lms_user_id or (student.id if student.id.isdigit() else "")
            login = "" if student.id == number else student.id
            yield (name, number, "", login, "", *(found.points(a, student) for a in found.assignments))


class MoodleExport(_Export):
    """Moodle's grade import, in the columns of its grade export: map from `ID number` or `Email address`."""

    default = "moodle.csv"

    def rows(self, found: Grades) -> Iterator[Row]:
        _refuse_repeated_ids(found.students, "Moodle")
        titles = [f"Assignment: {title} (Real)" for title in _list_titles(found)]
        yield ("First name", "Last name", "ID number", "Email address", *titles)
        for student in found.students:
            number = student.lms_user_id or student.id
            points = (found.points(assignment, student) for assignment in found.assignments)
            yield (student.first_name, student.last_name, number, student.email, *points)


EXPORTERS: dict[str, type[_Export]] = {"canvas": CanvasExport, "moodle": MoodleExport, "nbgrader": NbgraderExport}


def query_grades(gradebook: Gradebook, students: Iterable[Any] = (), assignments: Iterable[Any] = ()) -> Grades:
    """Query the grades of the complete gradebook, or only of these students (ids) and assignments (names).

    Adds up all scores in one pass: nbgrader's own score of a submission scans all grades of the course each time.
    """
    ids, names = {str(student) for student in students}, {str(assignment) for assignment in assignments}
    points = func.coalesce(func.sum(Grade.score), 0.0)
    unmarked = func.count(Grade.id).filter(Grade.needs_manual_grade)
    by_notebook = (
        gradebook.db.query(Grade.notebook_id, points.label("points"), unmarked.label("unmarked"))
        .group_by(Grade.notebook_id)
        .subquery()
    )
    columns = (Assignment.name, SubmittedAssignment.student_id, SubmittedAssignment.timestamp)
    penalty = func.coalesce(func.sum(SubmittedNotebook.late_submission_penalty), 0.0)
    totals = (func.coalesce(func.sum(by_notebook.c.points), 0.0), penalty, func.sum(by_notebook.c.unmarked))
    rows = (
        gradebook.db.query(*columns, *totals)
        .select_from(SubmittedAssignment)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .outerjoin(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .outerjoin(by_notebook, by_notebook.c.notebook_id == SubmittedNotebook.id)
        .group_by(SubmittedAssignment.id, *columns)
    )
    return Grades(
        students=[student for student in gradebook.students if not ids or student.id in ids],
        assignments=[each for each in gradebook.assignments if not names or each.name in names],
        results={
            (name, student): Result(when, float(score), float(lost), unmarked=bool(waiting))
            for name, student, when, score, lost, waiting in rows
        },
    )


def export_grades(course: Course, kind: str, to: str) -> list[str]:
    """Write the grades. Return a sentence for each assignment with answers that still need manual marking."""
    need_gradebook(course)
    with database_errors(course), CourseGradebook(course) as gradebook:
        try:
            EXPORTERS[kind](to=to).export(gradebook)
        except OSError as error:
            raise CourseError(explain_os_error(error) or f"{to}: cannot be written ({error.strerror})") from error
        waiting: dict[str, int] = {}
        for (name, _), result in query_grades(gradebook).results.items():
            waiting[name] = waiting.get(name, 0) + result.unmarked
    return [
        f"{name}: {count} submissions have answers to mark by hand, which count 0 until then"
        for name, count in waiting.items()
        if count
    ]


def _refuse_repeated_ids(students: Iterable[Any], platform: str) -> None:
    """Raise CourseError if two students have one id on the platform, which would keep the marks of one of them."""
    by_number: dict[str, str] = {}
    for student in students:
        number = student.lms_user_id or student.id
        other = by_number.setdefault(number, student.id)
        if other != student.id:
            raise CourseError(
                f"{other!r} and {student.id!r} would have one id on {platform}, {number!r}; correct lms_user_id, or "
                "remove the student who is no longer used with `nbgrader db student remove ID`"
            )


def _list_titles(found: Grades) -> list[str]:
    titles = {assignment.slug: assignment.title for assignment in load_course_here().assignments}
    return [titles.get(assignment.name, assignment.name) for assignment in found.assignments]


def _format_points(points: float) -> str:
    return f"{round(points, 4):g}"

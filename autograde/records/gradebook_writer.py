"""Writes a student's autograded notebook and grades with one read of the gradebook and one commit.

The result equals that of `nbgrader autograde` with our steps (nbgrader_hooks), as test_gradebook_writer.py shows. That
command opens the gradebook eight times for each student, commits after each cell, and reads, copies and validates the
notebook several times. In both cases nbgrader's own steps decide the points.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import (
    Grade,
    Gradebook,
    GradeCell,
    SolutionCell,
    SourceCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.preprocessors import NbGraderPreprocessor, OverwriteCells, SaveAutoGrades
from nbgrader.utils import parse_utc
from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager, selectinload

from autograde.course import CourseError, Work
from autograde.disk import replace_on_success, write_atomically
from autograde.grading.digests import compute_version, hash_checks, hash_parts
from autograde.notebooks.extract import Submission, SubmissionError
from autograde.notebooks.stage import stage_if_stale
from autograde.notebooks.submitted import read_fingerprint, read_submitted
from autograde.records import nbgrader_hooks as hooks
from autograde.records.database import CourseGradebook
from autograde.records.gradebook_lookup import Lookup, by_name
from autograde.records.manual_marks import keep_marked, marked_answers
from autograde.records.other_files import READ_ONLY, copy_files, other_files, remove_all_but
from autograde.report import Report, decode_report, encode_report

Graded = tuple[Submission, Report]
"""a submission, and the report of exactly this submission"""


class GradebookWriter:
    """Records submissions of one assignment. The gradebook must contain the assignment and stay open."""

    def __init__(self, gradebook: Gradebook, work: Work) -> None:
        self.gradebook, self.work = gradebook, work
        self.checks = hash_checks(work)
        self.extensions = work.extensions
        with suppress(CourseError):  # the source is being edited: the released assignment suffices
            stage_if_stale(work)
        hooks.set_due_date(work)
        self.notebook_id = gradebook.find_notebook(work.slug, work.slug).id
        gradebook.db.remove()
        with Session(gradebook.engine) as db:
            cells = {kind: self._cells(db, kind) for kind in (SourceCell, GradeCell, SolutionCell, TaskCell)}
        self.released = Lookup(by_name(cells[SourceCell]), by_name(cells[GradeCell] + cells[TaskCell]))
        self.names = {cell.id: cell.name for of in cells.values() for cell in of}
        self.cells_digest = hash_parts(sorted(_values(cell) for of in cells.values() for cell in of))

    def _cells(self, db: Session, kind: Any) -> list[Any]:
        return list(db.scalars(select(kind).where(kind.notebook_id == self.notebook_id)))

    def record(self, student: str, graded: Graded | None = None) -> None:
        """Write the student's report to the gradebook. If this raises, the gradebook still has the earlier grade.

        `graded` is the submission that this run has graded, with its report. Without it, the files on disk are used,
        and parsed only if the gradebook does not have them yet.
        """
        if graded is None and self._refresh(student):
            return
        submission, report = graded or self._read(student)
        submitted_at = _timestamp(self.work.paths.submitted(student) / "timestamp.txt")
        notebook, place = submission.notebook, self._place(student)
        recorded = self.work.paths.recorded(student)
        with Session(self.gradebook.engine) as db:
            submitted = self._submitted(db, student)
            self._fill(submitted, notebook, report, place)
            recorded.unlink(missing_ok=True)  # written again once everything else is
            self._update(db, submitted, submitted_at)
            text, entry = _written(notebook), self._entry_digest(submitted)
            # Commit first: if the process is killed in between, the next run still finds the text that was marked.
            with replace_on_success(place, text, READ_ONLY, place.parent.with_suffix(".tmp")):
                db.commit()
        with suppress(OSError):  # without it the next run takes some milliseconds longer
            write_atomically(recorded, hash_parts([self._files_digest(report, text.encode()), entry]))

    def _read(self, student: str) -> Graded:
        submission = read_submitted(self.work, student)
        return submission, hooks.checked_report(self.work, submission, self.checks)

    def _refresh(self, student: str) -> bool:
        """Update only dates, penalty and other files; False if the grades or the notebook must be written too."""
        try:
            expected = self.work.paths.recorded(student).read_text()
            report = decode_report(self.work.paths.report(student).read_bytes())
            notebook = self._place(student).read_bytes()
            now = compute_version(self.work, read_fingerprint(self.work, student), self.checks)
        except (FileNotFoundError, ValueError, SubmissionError):
            return False
        submitted_at = _timestamp(self.work.paths.submitted(student) / "timestamp.txt")
        with Session(self.gradebook.engine) as db:
            submitted = db.scalars(self._query(student)).one_or_none()
            if report.digest != now.digest or submitted is None:
                return False
            if hash_parts([self._files_digest(report, notebook), self._entry_digest(submitted)]) != expected:
                return False
            self._update(db, submitted, submitted_at)
            db.commit()
        return True

    def _files_digest(self, report: Report, notebook: bytes) -> str:
        return hash_parts([encode_report(report), notebook, self.cells_digest])

    def _entry_digest(self, submitted: SubmittedNotebook) -> str:
        """Digest of the fields of the student's entry that recording sets, without those that a person may change."""
        grades = [
            (self.names[grade.cell_id], grade.auto_score, _request_is_settled(grade)) for grade in submitted.grades
        ]
        comments = [(self.names[comment.cell_id], comment.auto_comment) for comment in submitted.comments]
        return hash_parts([submitted.id, repr(sorted(grades)), repr(sorted(comments))])

    def _fill(self, submitted: SubmittedNotebook, notebook: NotebookNode, report: Report, place: Path) -> None:
        """Put the report into the notebook, and the scores that nbgrader reads from it into the entry."""
        lookup = Lookup(
            self.released.source,
            self.released.graded,
            {self.names[grade.cell_id]: grade for grade in submitted.grades},
            {self.names[comment.cell_id]: comment for comment in submitted.comments},
        )
        marked = marked_answers(lookup.grades, place)
        self._apply(OverwriteCells(), lookup, notebook)
        hooks.fill(notebook, report)
        self._apply(SaveAutoGrades(), lookup, notebook)
        self._apply(hooks.NeutralizeMarkup(), lookup, notebook)
        keep_marked(lookup.grades, marked, notebook)

    def _update(self, db: Session, submitted: SubmittedNotebook, submitted_at: datetime | None) -> None:
        """Update dates, the penalty, and the files next to the notebook; does not commit."""
        student = submitted.assignment.student_id
        self._set_dates(submitted.assignment, submitted_at)
        place, others = self._place(student), other_files(self.work, student)
        remove_all_but({*others, place}, place.parent)
        copy_files(others)
        db.flush()  # before the penalty, which is a share of the score
        submitted.late_submission_penalty = self._penalty(submitted)

    def _place(self, student: str) -> Path:
        return self.work.paths.autograded(student) / f"{self.work.slug}.ipynb"

    def _apply(self, step: NbGraderPreprocessor, lookup: Lookup, notebook: NotebookNode) -> None:
        """Apply nbgrader's step to each cell, with `lookup` instead of its own gradebook."""
        step.gradebook, step.student_id = lookup, ""
        step.notebook_id = step.assignment_id = self.work.slug
        for index, cell in enumerate(notebook.cells):
            notebook.cells[index], _ = step.preprocess_cell(cell, {}, index)

    def _submitted(self, db: Session, student: str) -> SubmittedNotebook:
        """The student's entry with everything that belongs to it; created if there is none."""
        found = db.scalars(self._query(student)).one_or_none()
        if found is None:
            self.gradebook.update_or_create_student(student)
            self.gradebook.update_or_create_submission(self.work.slug, student)
            self.gradebook.db.remove()
            found = db.scalars(self._query(student)).one()
        return found

    def _query(self, student: str) -> Select[tuple[SubmittedNotebook]]:
        return (
            select(SubmittedNotebook)
            .join(SubmittedNotebook.assignment)
            .where(SubmittedNotebook.notebook_id == self.notebook_id, SubmittedAssignment.student_id == student)
            .options(
                contains_eager(SubmittedNotebook.assignment).joinedload(SubmittedAssignment.assignment),
                selectinload(SubmittedNotebook.grades),
                selectinload(SubmittedNotebook.comments),
            )
        )

    def _set_dates(self, submitted: SubmittedAssignment, submitted_at: datetime | None) -> None:
        """Set the dates. Keeps an extension that only the gradebook has, and the submission time of an earlier run."""
        if submitted_at is not None:
            submitted.timestamp = submitted_at
        if (granted := self.extensions.get(submitted.student_id)) is not None:
            submitted.extension = granted

    def _penalty(self, submitted: SubmittedNotebook) -> float | None:
        """The penalty as in nbgrader's AssignLatePenalties: None if on time, else from 0 to the score."""
        seconds = submitted.assignment.total_seconds_late
        if seconds <= 0:
            return None
        score = submitted.score
        penalty = self.work.course.late.penalty(score, seconds)
        return min(max(penalty, 0.0), score) if penalty else None


@contextmanager
def open_gradebook_writer(work: Work) -> Iterator[GradebookWriter]:
    """Open the gradebook once, and yield a writer for it."""
    with CourseGradebook(work.course) as gradebook:
        yield GradebookWriter(gradebook, work)


def _values(cell: Any) -> str:
    """All fields of a released cell in the gradebook, as text."""
    return repr(sorted((key, value) for key, value in vars(cell).items() if not key.startswith("_")))


def _request_is_settled(grade: Grade) -> bool:
    """Whether recording again would leave `needs_manual_grade` unchanged, as it always does after a manual mark."""
    return grade.manual_score is not None or grade.needs_manual_grade == (grade.auto_score is None)


def _timestamp(path: Path) -> datetime | None:
    """When the work was submitted, UTC; None if there is no record. Raises UngradedError if it is not a valid time."""
    try:
        noted = path.read_text(encoding="utf-8").strip()
        when: datetime | None = parse_utc(noted) if noted else None
    except FileNotFoundError:
        return None
    except (ValueError, OverflowError) as error:
        raise hooks.UngradedError(f"{path}: not a time ({error}); write it as 2027-01-31 23:59:00 UTC") from None
    return when


def _written(notebook: NotebookNode) -> str:
    """The notebook as text, as nbconvert writes it. Raises ValidationError if the notebook is not valid."""
    nbformat.validate(notebook, relax_add_props=True)
    text: str = nbformat.v4.writes(notebook)
    return text + "\n"

"""Writes a student's autograded notebook and grades with one look at the gradebook and one commit.

It leaves what `nbgrader autograde` leaves with our steps (nbgrader_hooks), as test_gradebook_writer.py shows. That
command opens the gradebook eight times for each student, commits after each cell, and reads, copies and validates the
notebook again and again. Who has which points nbgrader decides here as there, in its own steps.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import (
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    MissingEntry,
    SolutionCell,
    SourceCell,
    SubmittedAssignment,
    SubmittedNotebook,
    TaskCell,
)
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, OverwriteCells, SaveAutoGrades
from nbgrader.utils import find_all_files, parse_utc
from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, selectinload

from autograde.course import CourseError, Work
from autograde.disk import replacing
from autograde.notebooks.stage import stage_if_stale
from autograde.notebooks.submitted import submission_of
from autograde.records import nbgrader_hooks as hooks
from autograde.records.database import CourseGradebook
from autograde.records.manual_marks import keep_marked, marked_answers

READ_ONLY = 0o444
"""nbgrader's permissions of what it has graded: a change made there by hand would be lost"""


@dataclass
class Looked:
    """A gradebook to nbgrader's steps: answers about one submission from one look, and leaves the commit to others."""

    source: Mapping[str, SourceCell]
    graded: Mapping[str, GradeCell | TaskCell]
    grades: Mapping[str, Grade] = field(default_factory=dict)
    comments: Mapping[str, Comment] = field(default_factory=dict)

    def find_source_cell(self, name: str, *_: str) -> SourceCell:
        return _known(self.source, name)

    def find_graded_cell(self, name: str, *_: str) -> GradeCell | TaskCell:
        return _known(self.graded, name)

    def find_grade(self, name: str, *_: str) -> Grade:
        return _known(self.grades, name)

    def find_comment(self, name: str, *_: str) -> Comment:
        return _known(self.comments, name)

    @property
    def db(self) -> Looked:
        return self

    def commit(self) -> None:
        """Not yet: the whole submission is committed at once."""


class GradebookWriter:
    """Records submissions of one assignment. The gradebook must know it, and stay open."""

    def __init__(self, gradebook: Gradebook, work: Work) -> None:
        from autograde.grading.digests import checks_digest

        self.gradebook, self.work = gradebook, work
        self.checks = checks_digest(work)
        self.extensions = work.extensions
        with suppress(CourseError):  # a source that is being edited: what it was released from serves as well
            stage_if_stale(work)
        self.ignored = [*CourseDirectory().ignore, "*.ipynb"]
        hooks.set_due_date(work)
        self.notebook_id = gradebook.find_notebook(work.slug, work.slug).id
        gradebook.db.remove()
        with Session(gradebook.engine) as db:
            cells = {kind: self._cells(db, kind) for kind in (SourceCell, GradeCell, SolutionCell, TaskCell)}
        self.looked = Looked(_by_name(cells[SourceCell]), _by_name(cells[GradeCell] + cells[TaskCell]))
        self.names = {cell.id: cell.name for of in cells.values() for cell in of}

    def _cells(self, db: Session, kind: Any) -> list[Any]:
        return list(db.scalars(select(kind).where(kind.notebook_id == self.notebook_id)))

    def record(self, student: str) -> None:
        """Write what the student's report says. Whatever it raises, the grade that the gradebook had stays.

        The gradebook first, then the notebook: in between a kill leaves the text that was marked, for the next run.
        """
        submission = submission_of(self.work, student)
        report = hooks.checked_report(self.work, submission, self.checks)
        handed_in_at = _timestamp(self.work.paths.submitted(student) / "timestamp.txt")
        notebook, place = submission.notebook, self._place(student)
        with Session(self.gradebook.engine) as db:
            submitted = self._submitted(db, student)
            looked = Looked(
                self.looked.source,
                self.looked.graded,
                {self.names[grade.cell_id]: grade for grade in submitted.grades},
                {self.names[comment.cell_id]: comment for comment in submitted.comments},
            )
            marked = marked_answers(looked.grades, place)
            self._apply(OverwriteCells(), looked, notebook)
            hooks.fill(notebook, report)
            self._apply(SaveAutoGrades(), looked, notebook)
            self._apply(hooks.NeutralizeMarkup(), looked, notebook)
            keep_marked(looked.grades, marked, notebook)
            self._set_dates(submitted.assignment, handed_in_at)
            others = self._others(student)
            _remove_all_but({*others, place}, place.parent)
            _copy(others)
            db.flush()  # before the penalty, which is a share of the score
            submitted.late_submission_penalty = self._penalty(submitted)
            with replacing(place, _written(notebook), READ_ONLY, place.parent.with_suffix(".tmp")):
                db.commit()

    def _place(self, student: str) -> Path:
        return self.work.paths.autograded(student) / f"{self.work.slug}.ipynb"

    def _apply(self, step: NbGraderPreprocessor, looked: Looked, notebook: NotebookNode) -> None:
        """nbgrader's step on each cell, without its own way to the gradebook."""
        step.gradebook, step.student_id = looked, ""
        step.notebook_id = step.assignment_id = self.work.slug
        for index, cell in enumerate(notebook.cells):
            notebook.cells[index], _ = step.preprocess_cell(cell, {}, index)

    def _submitted(self, db: Session, student: str) -> SubmittedNotebook:
        """The student's entry with all that hangs on it; made if there is none."""
        asked = (
            select(SubmittedNotebook)
            .join(SubmittedNotebook.assignment)
            .where(SubmittedNotebook.notebook_id == self.notebook_id, SubmittedAssignment.student_id == student)
            .options(
                contains_eager(SubmittedNotebook.assignment).joinedload(SubmittedAssignment.assignment),
                selectinload(SubmittedNotebook.grades),
                selectinload(SubmittedNotebook.comments),
            )
        )
        found = db.scalars(asked).one_or_none()
        if found is None:
            self.gradebook.update_or_create_student(student)
            self.gradebook.update_or_create_submission(self.work.slug, student)
            self.gradebook.db.remove()
            found = db.scalars(asked).one()
        return found

    def _set_dates(self, submitted: SubmittedAssignment, handed_in_at: datetime | None) -> None:
        """An extension that somebody granted in the gradebook alone stays, and so does an earlier run's time."""
        if handed_in_at is not None:
            submitted.timestamp = handed_in_at
        if (granted := self.extensions.get(submitted.student_id)) is not None:
            submitted.extension = granted

    def _penalty(self, submitted: SubmittedNotebook) -> float | None:
        """As nbgrader's AssignLatePenalties has it: None on time, never below 0 nor above the score."""
        seconds = submitted.assignment.total_seconds_late
        if seconds <= 0:
            return None
        score = submitted.score
        penalty = self.work.course.late.penalty(score, seconds)
        return min(max(penalty, 0.0), score) if penalty else None

    def _others(self, student: str) -> dict[Path, Path]:
        """Where what else was handed in belongs, and over that what the assignment comes with -> the file."""
        paths = self.work.paths
        return {
            paths.autograded(student) / Path(name).relative_to(folder): Path(name)
            for folder in (paths.submitted(student), self.work.course.stage / self.work.slug)
            for name in find_all_files(str(folder), self.ignored)
        }


@contextmanager
def open_gradebook_writer(work: Work) -> Iterator[GradebookWriter]:
    """A recorder over a gradebook that is opened once."""
    with CourseGradebook(work.course) as gradebook:
        yield GradebookWriter(gradebook, work)


def _by_name(cells: list[Any]) -> dict[str, Any]:
    return {cell.name: cell for cell in cells}


def _known(found: Mapping[str, Any], name: str) -> Any:
    if name not in found:
        raise MissingEntry(f"the gradebook knows no cell {name!r}; run `course release`")
    return found[name]


def _timestamp(path: Path) -> datetime | None:
    """When the work was handed in, UTC; None if nobody noted it. UngradedError if that cannot be read."""
    try:
        noted = path.read_text(encoding="utf-8").strip()
        when: datetime | None = parse_utc(noted) if noted else None
    except FileNotFoundError:
        return None
    except (ValueError, OverflowError) as error:
        raise hooks.UngradedError(f"{path}: not a time ({error}); write it as 2027-01-31 23:59:00 UTC") from None
    return when


def _written(notebook: NotebookNode) -> str:
    """The notebook's file, as nbconvert writes it. ValidationError, and no file, if it would be no notebook."""
    nbformat.validate(notebook, relax_add_props=True)
    text: str = nbformat.v4.writes(notebook)
    return text + "\n"


def _copy(files: Mapping[Path, Path]) -> None:
    for place, file in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copyfile(file, place)
        place.chmod(READ_ONLY)


def _remove_all_but(wanted: Collection[Path], folder: Path) -> None:
    for place, folders, files in os.walk(folder, topdown=False):
        for file in (Path(place, name) for name in files):
            if file not in wanted:
                file.unlink()
        for within in (Path(place, name) for name in folders):
            if within.is_symlink():
                within.unlink()
            elif not any(within.iterdir()):
                within.rmdir()

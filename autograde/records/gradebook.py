"""Writes the grades of many students, and their feedback with nbgrader's own converter."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbgrader.api
from nbgrader.converters import GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from traitlets.config import Config

from autograde.course import CourseError, Work
from autograde.disk import explain_os_error, hold_lock
from autograde.exception_names import public_name
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.nbgrader_run import make_quiet_logger
from autograde.notebooks.nbgrader_settings import configure
from autograde.notebooks.submitted import list_students_in, refuse_name
from autograde.records.audit_log import record_shown
from autograde.records.database import check_gradebook, database_errors
from autograde.records.gradebook_writer import GradebookWriter, Graded, open_gradebook_writer


def graded_students(work: Work) -> list[str]:
    """The students whose graded notebook of this assignment is in autograded/; sorted."""
    folder = work.course.root / "autograded"
    return [
        s for s in list_students_in(folder, work.slug) if (work.paths.autograded(s) / f"{work.slug}.ipynb").exists()
    ]


@dataclass
class Recorder:
    """A gradebook that is open for recording, one student at a time; concurrent runs over the assignment take turns."""

    work: Work
    writer: GradebookWriter
    errors: dict[str, str] = field(default_factory=dict)
    """student -> the reason why the report was not recorded"""

    def record(self, student: str, graded: Graded | None = None) -> None:
        """Write autograded/ and the gradebook. Raises CourseError if the gradebook cannot store any grades now."""
        with _alone(self.work), database_errors(self.work.course), _quiet():
            try:
                self.writer.record(student, graded)
            except OperationalError:
                raise
            except Exception as error:
                self.errors[student] = _reason(error)


@contextmanager
def open_recorder(work: Work) -> Iterator[Recorder]:
    with ExitStack() as stack:
        with _alone(work), database_errors(work.course), _quiet():
            writer = stack.enter_context(open_gradebook_writer(work))
        yield Recorder(work, writer)


def record(work: Work, students: Iterable[str]) -> dict[str, str]:
    """Write autograded/ and the gradebook from these students' reports; returns student -> error text for failures.

    After a failure the gradebook still has the student's earlier grade. Manual marks are never changed.
    """
    check_gradebook(work)
    with open_recorder(work) as recorder:
        for student in students:
            recorder.record(student)
    return recorder.errors


def _alone(work: Work) -> AbstractContextManager[None]:
    return hold_lock(work.course.stage.parent / f"recording-{work.slug}.lock")


def _reason(error: Exception) -> str:
    why = explain_os_error(error) if isinstance(error, OSError) else None
    return why or str(error) or public_name(error)


def write_feedback(work: Work, students: Iterable[str] | None = None) -> dict[str, str]:
    """Write feedback/<student>/<slug>/<slug>.html (default: for all who are graded); returns student -> error text."""
    chosen = graded_students(work) if students is None else list(students)
    if not chosen:
        raise CourseError(
            f"no graded submission of {work.slug!r} in {work.course.root / 'autograded'}; "
            f"run `course grade {work.slug}`"
        )
    check_gradebook(work)
    errors = _refuse_names(chosen)
    with database_errors(work.course):
        errors |= _feedback(work, [student for student in chosen if student not in errors])
    record_shown(work, [student for student in chosen if student not in errors])
    return errors


def _refuse_names(students: Iterable[str]) -> dict[str, str]:
    """The students whose folder has a name that cannot be used -> the reason."""
    errors = {}
    for student in students:
        try:
            refuse_name(student)
        except SubmissionError as error:
            errors[student] = str(error)
    return errors


class _Feedback(GenerateFeedback):  # type: ignore[misc]
    """GenerateFeedback for a list of students (nbgrader takes only a pattern), which collects each student's error."""

    chosen: list[str]
    slug: str
    failures: dict[str, str]
    current = ""

    def init_notebooks(self) -> None:
        self.notebooks: list[str] = []
        self.assignments: dict[str, list[str]] = {}
        for student in self.chosen:
            folder = self._format_source(self.slug, student)
            self.assignments[folder] = [str(Path(folder) / f"{self.slug}.ipynb")]

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        self.current = student_id
        self._noting(super().init_assignment, assignment_id, student_id)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        self._noting(super().convert_single_notebook, notebook_filename)

    def _noting(self, step: Any, *arguments: str) -> None:
        try:
            step(*arguments)
        except Exception as error:
            self.failures[self.current] = _reason(error)
            raise


def _feedback(work: Work, students: list[str]) -> dict[str, str]:
    if not students:
        return {}
    config = Config()
    configure(config, work.course)
    config.CourseDirectory.assignment_id = work.slug
    # Traitlets finds settings by class name, so this subclass needs them under its own name.
    config._Feedback = config.GenerateFeedback
    logger, _ = make_quiet_logger()
    coursedir = CourseDirectory(config=config, log=logger)
    converter = _Feedback(coursedir=coursedir, config=config, log=logger)
    converter.force, converter.slug, converter.failures, converter.chosen = True, work.slug, {}, students
    try:
        with _quiet(), _kept_engines():
            converter.start()
    except NbGraderException as error:
        if isinstance(error.__context__, SQLAlchemyError):
            raise error.__context__ from None
        if not converter.failures:
            raise CourseError(f"{work.slug}: nbgrader stopped: {error}") from error
    return converter.failures


@contextmanager
def _kept_engines() -> Iterator[None]:
    """Reuse SQLAlchemy's engine, which caches statements: nbgrader opens the gradebook again for each student."""
    with ExitStack() as stack:

        @functools.cache
        def kept(url: str, **options: Any) -> Engine:
            engine = create_engine(url, **options)
            stack.callback(engine.dispose)
            return engine

        with patch.object(nbgrader.api, "create_engine", kept):
            yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide the log messages and warnings of nbgrader and its libraries while a converter runs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # nbgrader relies on an autoflush order that SQLAlchemy 2.1 warns about; the stored data is correct.
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

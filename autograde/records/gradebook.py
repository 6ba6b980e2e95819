"""Writes grades and notebooks through nbgrader's own converters, for many students at once."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbgrader.api
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config

from autograde.course import Course, CourseError
from autograde.disk import database_obstacle, obstacle
from autograde.notebooks.nbgrader_run import quiet_logger
from autograde.notebooks.nbgrader_settings import configure
from autograde.notebooks.submitted import students_in
from autograde.records import nbgrader_hooks as hooks
from autograde.records.database import check_gradebook, gradebook_name
from autograde.records.journal import shown
from autograde.records.marks import marks_kept


def graded_students(course: Course, slug: str) -> list[str]:
    """Everyone whose graded notebook of this assignment is in autograded/; sorted."""
    folder = course.root / "autograded"
    return [s for s in students_in(folder, slug) if (course.paths(slug).autograded(s) / f"{slug}.ipynb").exists()]


def record(course: Course, slug: str, students: Iterable[str]) -> dict[str, str]:
    """Write autograded/ and the gradebook from these students' reports: student -> error text of those left out.

    A student left out keeps the grade that the gradebook had. Manual marks are never touched.
    """
    check_gradebook(course, slug)
    errors: dict[str, str] = {}
    ready = []
    for student in students:
        try:
            # Before nbgrader touches the gradebook: it enters a submission first and reads it later.
            hooks.checked_report(course, slug, student)
            _check_timestamp(course.paths(slug).submitted(student) / "timestamp.txt")
            ready.append(student)
        except Exception as error:
            errors[student] = str(error) or type(error).__name__
    if ready:
        with _database_errors(course), marks_kept(course, slug, ready):
            errors |= _run(_converter(Autograde, course, slug, _Recording), course, slug, ready)
    return errors


@contextmanager
def _database_errors(course: Course) -> Iterator[None]:
    """A gradebook that is locked, full or read-only is a CourseError that says so."""
    try:
        yield
    except SQLAlchemyError as error:
        why = database_obstacle(gradebook_name(course), error)
        raise CourseError(why or f"{gradebook_name(course)}: cannot be used ({error})") from error


def _check_timestamp(path: Path) -> None:
    """UngradedError if nbgrader could not read when the work was handed in."""
    try:
        parse_utc(path.read_text(encoding="utf-8").strip() or "2000-01-01")
    except FileNotFoundError:
        return
    except (ValueError, OverflowError) as error:
        raise hooks.UngradedError(f"{path}: not a time ({error}); write it as 2027-01-31 23:59:00 UTC") from None


def write_feedback(course: Course, slug: str, students: Iterable[str] | None = None) -> dict[str, str]:
    """feedback/<student>/<slug>/<slug>.html for these students (default: all graded): student -> error text."""
    chosen = graded_students(course, slug) if students is None else list(students)
    if not chosen:
        raise CourseError(
            f"no graded submission of {slug!r} in {course.root / 'autograded'}; run `course grade {slug}`"
        )
    check_gradebook(course, slug)
    with _database_errors(course):
        errors = _run(_converter(GenerateFeedback, course, slug, _Feedback), course, slug, chosen)
    shown(course, slug, [student for student in chosen if student not in errors])
    return errors


class _Chosen:
    """Lets a converter work on a list of students, where nbgrader has only a pattern, and keeps each one's error."""

    chosen: list[str]
    slug: str
    failures: dict[str, str]
    current = ""

    def init_notebooks(self) -> None:
        self.notebooks: list[str] = []
        self.assignments: dict[str, list[str]] = {}
        for student in self.chosen:
            folder = self._format_source(self.slug, student)  # type: ignore[attr-defined]
            self.assignments[folder] = [str(Path(folder) / f"{self.slug}.ipynb")]

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        self.current = student_id
        self._noting(super().init_assignment, assignment_id, student_id)  # type: ignore[misc]

    def convert_single_notebook(self, notebook_filename: str) -> None:
        self._noting(super().convert_single_notebook, notebook_filename)  # type: ignore[misc]

    def _noting(self, step: Any, *arguments: str) -> None:
        try:
            step(*arguments)
        except Exception as error:
            why = obstacle(error) if isinstance(error, OSError) else None
            self.failures[self.current] = why or str(error) or type(error).__name__
            raise


class _Recording(_Chosen, Autograde):  # type: ignore[misc]
    """Autograde for chosen students; a .py submission counts as their notebook."""


class _Feedback(_Chosen, GenerateFeedback):  # type: ignore[misc]
    """GenerateFeedback for chosen students."""


def _converter(stock: type[Any], course: Course, slug: str, ours: type[Any]) -> Any:
    config = Config()
    configure(config, course)
    config.CourseDirectory.assignment_id = slug
    # Traitlets finds settings by class name, and ours is another one.
    config[ours.__name__] = config[stock.__name__]
    logger, log = quiet_logger()
    coursedir = CourseDirectory(config=config, log=logger)
    converter = ours(coursedir=coursedir, config=config, log=logger)
    converter.force, converter.slug, converter.failures, converter.messages = True, slug, {}, log.lines
    return converter


def _run(converter: Any, course: Course, slug: str, students: list[str]) -> dict[str, str]:
    converter.chosen = students
    try:
        # nbgrader opens the gradebook many times for each student; an engine that is kept knows the statements already.
        with _quiet(), patch.object(nbgrader.api, "create_engine", functools.cache(create_engine)):
            converter.start()
    except NbGraderException as error:
        if isinstance(error.__context__, SQLAlchemyError):
            raise error.__context__ from None
        if not converter.failures:
            raise CourseError(f"{slug}: nbgrader stopped: {error}") from error
    failures: dict[str, str] = converter.failures
    return failures


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps nbgrader's and its libraries' remarks off the screen while a converter runs."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            # nbgrader relies on an autoflush order that SQLAlchemy 2.1 remarks on; what it stores is right.
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

"""Opens the gradebook's database, and checks that it exists, has the installed nbgrader's schema and can be written.

The database is a file in the course's folder for one grader at a time, or a server (PostgreSQL) for several.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic.script import ScriptDirectory
from nbgrader.api import Gradebook
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from autograde.course import Course, CourseError, Work
from autograde.disk import explain_database_error

UPGRADE = "back it up, then run `nbgrader db upgrade`"
LOCKED_S = 5.0
"""how long to wait while another program writes the file"""


def check_gradebook(work: Work) -> None:
    """Raise CourseError unless the gradebook exists with this schema, can be written and contains the assignment."""
    need_gradebook(work.course)
    version, known = _ask_server(work) if work.course.db_url else _ask_file(_file(work.course), work.slug)
    if version != _schema():
        raise CourseError(f"{gradebook_name(work.course)}: made by another version of nbgrader; {UPGRADE}")
    if not known:
        name = gradebook_name(work.course)
        raise CourseError(f"{name}: does not know {work.slug!r}; run `course release {work.slug}`")


def need_gradebook(course: Course) -> None:
    """Raise CourseError if there is no gradebook yet."""
    if not has_gradebook(course):
        raise CourseError(f"{gradebook_name(course)}: no gradebook yet; run `course release`")


def has_gradebook(course: Course) -> bool:
    """Whether there is a gradebook. Raises CourseError if it is on a server that does not answer."""
    if not course.db_url:
        return _file(course).exists()
    return bool(_asked(course, lambda connection: inspect(connection).has_table("alembic_version")))


def gradebook_name(course: Course) -> str:
    """The gradebook's file, or its address without the password."""
    if not course.db_url:
        return str(_file(course))
    try:
        return make_url(course.db_url).render_as_string(hide_password=True)
    except ArgumentError:
        return "course_config.py: db_url"


class CourseGradebook(Gradebook):  # type: ignore[misc]
    """nbgrader's gradebook of a course. A context that leaves no connection open, even if opening it fails."""

    def __init__(self, course: Course) -> None:
        try:
            super().__init__(course.gradebook_url, course.name)
        except BaseException:
            if hasattr(self, "db"):
                self.close()
            raise


@contextmanager
def database_errors(course: Course) -> Iterator[None]:
    """Turn errors of a locked, full, read-only or invalid gradebook into a CourseError that names the problem."""
    try:
        yield
    except SQLAlchemyError as error:
        why = explain_database_error(gradebook_name(course), error)
        raise CourseError(why or f"{gradebook_name(course)}: cannot be used ({_said(error)})") from error


def _said(error: SQLAlchemyError) -> str:
    """The database's own message, without the SQL statement."""
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0][:200]


def _file(course: Course) -> Path:
    return course.root / "gradebook.db"


def _ask_file(path: Path, slug: str) -> tuple[str, bool]:
    """The file's schema, and whether it contains the assignment; takes the write lock, so that a locked file shows."""
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=LOCKED_S, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            known = connection.execute("SELECT 1 FROM assignment WHERE name = ?", (slug,)).fetchone()
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if why := explain_database_error(str(path), error):
            raise CourseError(why) from error
        raise CourseError(f"{path}: cannot be used ({error}); {UPGRADE}") from error
    except sqlite3.DatabaseError as error:
        raise CourseError(f"{path}: not a gradebook ({error}); restore it from a backup") from error
    return version[0] if version else "", known is not None


def _ask_server(work: Work) -> tuple[str, bool]:
    def ask(connection: Any) -> tuple[str, bool]:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        known = connection.execute(text("SELECT 1 FROM assignment WHERE name = :name"), {"name": work.slug}).scalar()
        return version or "", known is not None

    found: tuple[str, bool] = _asked(work.course, ask)
    return found


def _asked(course: Course, ask: Any) -> Any:
    """The server's answer; raises CourseError, without the password in it, if there is none."""
    try:
        engine = create_engine(course.db_url)
        try:
            with engine.connect() as connection:
                return ask(connection)
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise CourseError(
            f"{gradebook_name(course)}: needs the package {error.name}; `pip install llm-course-kit[cluster]`"
        ) from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise CourseError("course_config.py: db_url is not a database address; see docs/cluster.md") from error
    except DBAPIError as error:
        raise CourseError(f"{gradebook_name(course)}: cannot be used ({_said(error)})") from error


@cache
def _schema() -> str | None:
    """The schema of the installed nbgrader. nbgrader's own command for this starts a process and takes seconds."""
    return ScriptDirectory(ALEMBIC_DIR).get_current_head()

"""Courses with a roster, and archives as learning platforms write them, for tests of `course collect`."""

from __future__ import annotations

import csv
import shutil
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from nbgrader.api import Gradebook
from nbgrader.dbutil import ALEMBIC_DIR

from autograde.course import Course, load_course
from autograde.tests.commands import Done, course_here

CASES = Path(__file__).parents[1] / "data" / "collecting"
SLUG, OTHER = "rmsnorm", "swiglu"
NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
CONFIG = f"""from autograde.course import Assignment, Course
COURSE = Course(
    name="tiny",
    assignments=[
        Assignment({SLUG!r}, title="RMSNorm", due="2027-01-31 23:59"),
        Assignment({OTHER!r}, title="SwiGLU"),
    ],
    timezone="Europe/Berlin",
)
"""
Files = Mapping[str, bytes | str]


def read_roster() -> list[dict[str, str]]:
    """The rows of students.csv, which is the roster of all cases."""
    with (CASES / "students.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def add_students(course: Course, rows: Iterable[Mapping[str, str]]) -> Course:
    """Add rows with nbgrader's columns to the gradebook, as `nbgrader db student import` does."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for row in rows:
            facts = dict(row)
            gradebook.update_or_create_student(facts.pop("id"), **facts)
    return course


def add_submission(course: Course, student: str) -> None:
    """Add a row for a graded submission to the gradebook, and one for the student if there is none."""
    with Gradebook(course.gradebook_url, course.name) as gradebook, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbgrader relies on an autoflush order that SQLAlchemy warns about
        gradebook.update_or_create_student(student)
        gradebook.update_or_create_submission(SLUG, student)


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook without students."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        # nbgrader starts a process for this, which takes seconds.
        patch.setattr("nbgrader.api.get_alembic_version", ScriptDirectory(ALEMBIC_DIR).get_current_head)
        with Gradebook(f"sqlite:///{path}", "tiny") as gradebook:
            gradebook.add_assignment(SLUG)
    return path


@pytest.fixture(scope="session")
def full_gradebook(empty_gradebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with the students of students.csv."""
    root = tmp_path_factory.mktemp("full")
    (root / "course_config.py").write_text(CONFIG)
    shutil.copy(empty_gradebook, root)
    add_students(load_course(root), read_roster())
    return root / "gradebook.db"


@pytest.fixture
def no_roster(tmp_path: Path) -> Course:
    """A course without a gradebook."""
    (tmp_path / "course_config.py").write_text(CONFIG)
    return load_course(tmp_path)


@pytest.fixture
def empty_roster(no_roster: Course, empty_gradebook: Path) -> Course:
    """A course whose gradebook has no students."""
    shutil.copy(empty_gradebook, no_roster.root)
    return no_roster


@pytest.fixture
def course(no_roster: Course, full_gradebook: Path) -> Course:
    """A course with the four students of students.csv: ada, bob, jose and cy."""
    shutil.copy(full_gradebook, no_roster.root)
    return no_roster


def pack(path: Path, files: Files | Iterable[tuple[str, bytes | str]]) -> Path:
    """Write a zip of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, data)
    return path


def collect(course: Course, files: Files | Path, *options: str) -> Done:
    """Run `course collect rmsnorm` on a zip of these files."""
    path = files if isinstance(files, Path) else pack(course.root / "in.zip", files)
    return course_here(course, "collect", SLUG, str(path), *options)


def submitted(course: Course) -> dict[str, bytes]:
    """Path in submitted/ -> contents."""
    folder = course.root / "submitted"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def students(course: Course) -> list[str]:
    """The students who have a submission."""
    return sorted({name.split("/")[0] for name in submitted(course)})


def notebooks(course: Course) -> dict[str, bytes]:
    """Student -> their notebook or script."""
    return {name.split("/")[0]: data for name, data in submitted(course).items() if not name.endswith("timestamp.txt")}

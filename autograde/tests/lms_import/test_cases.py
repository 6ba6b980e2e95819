"""The archives in tests/data/collecting: each submission reaches its student, or the student and the reason are named."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from autograde.course import Course
from autograde.tests.lms_import.classroom import CASES, collect, students


@dataclass(frozen=True)
class Right:
    """The right result of collecting one archive with the roster of students.csv."""

    students: tuple[str, ...]
    """who has a submission afterwards"""
    status: int
    said: tuple[str, ...]
    """words that one line of the output contains"""


RIGHT = {
    "canvas_anonymous_grading": Right((), 1, ("anon_k3J9x", "anonymous")),
    "canvas_copy1_beside": Right(("ada",), 0, ("ada", "rmsnorm-Copy1.ipynb")),
    "canvas_ipynb_json": Right(("ada",), 0, ("ada", "rmsnorm.ipynb.json")),
    "canvas_link_submission": Right(("jose",), 1, ("ada", "link")),
    "canvas_number_not_in_roster": Right((), 1, ("teststudent", "777")),
    "canvas_other_assignments_notebook": Right(("ada",), 0, ("ada", "swiglu.ipynb", "assignment swiglu")),
    "moodle_subfolder_one_word_name": Right((), 1, ("Sukarno",)),
    "moodle_team_prefix": Right(("jose",), 0, ("new: jose",)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_case_gives_the_right_result(course: Course, name: str) -> None:
    right = RIGHT[name]
    done = collect(course, CASES / f"{name}.zip")
    assert (tuple(students(course)), done.returncode) == (right.students, right.status)
    lines = (done.stdout + done.stderr).splitlines()
    assert any(all(word in line for word in right.said) for line in lines), done.stderr


def test_cases_are_all_tested() -> None:
    assert {path.stem for path in CASES.glob("*.zip")} == set(RIGHT)

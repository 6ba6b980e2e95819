"""Laws over generated archives of every layout, with roster students, strangers and hostile file names.

No submission is without a line that names it, no person outside the roster is collected, no student gets a file that
another person uploaded, and nothing is written outside submitted/.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograde.course import Course, load_course
from autograde.tests.lms_import.classroom import (
    CONFIG,
    OTHER,
    SLUG,
    add_students,
    collect,
    notebooks,
    read_roster,
    submitted,
)


@dataclass(frozen=True)
class Someone:
    """A person on a platform: of the roster if they have an id."""

    student: str
    name: str
    number: int


CLASS = [
    Someone(row["id"], f"{row['first_name']} {row['last_name']}".replace("'", ""), int(row["lms_user_id"]))
    for row in read_roster()
]
STRANGERS = [Someone("", "Eve Doe", 105), Someone("", "Test Student", 777), Someone("", "Ada Lovelace Jr", 778)]
WORDS = [
    SLUG, OTHER, "x", "ada", "timestamp", "submission_metadata", "lovelaceada_101_9001_rmsnorm", "102_7_x", "_LATE_101_",
    "Ada Lovelace_555_assignsubmission_file_", "submission_111", f"ada/{SLUG}/{SLUG}", "cy_text", "x_101_link",
    "x_ada_attempt_2027-01-30-12-00-00_y", "9-77 - Ada Lovelace - Jan 30, 2027 926 PM", "-Copy1", "ä", "..x", ".hidden",
]  # fmt: skip
SUFFIXES = [".ipynb", ".py", ".ipynb.json", ".IPYNB", ".txt", ".yml", ".zip", ".html", ".pdf", ""]


def canvas(who: Someone, file: str, index: int) -> str:
    name = "".join(filter(str.isalnum, who.name)).lower()
    return f"{name}_{who.number}_{9000 + index}_{file.replace('/', '_')}"


def moodle(who: Someone, file: str, index: int) -> str:
    return f"{who.name}_{who.number + 400}_assignsubmission_file_/{file}"


def moodle_flat(who: Someone, file: str, index: int) -> str:
    return f"{who.name}_{who.number + 400}_assignsubmission_file_{file.replace('/', '_')}"


def blackboard(who: Someone, file: str, index: int) -> str:
    name = who.student or who.name.replace(" ", "").lower()
    return f"RMS Norm_{name}_attempt_2027-01-30-12-00-00_{file.replace('/', '_')}"


def brightspace(who: Someone, file: str, index: int) -> str:
    return f"{who.number}-55 - {who.name} - Jan 30, 2027 926 PM/{file}"


def nbgrader(who: Someone, file: str, index: int) -> str:
    return f"{who.student or who.name.replace(' ', '').lower()}/{SLUG}/{file}"


LAYOUTS = [canvas, moodle, moodle_flat, blackboard, brightspace, nbgrader]


@st.composite
def uploads(draw: st.DrawFn) -> list[tuple[Someone, str]]:
    """(person, file) pairs; each has at least one file."""
    people = draw(st.lists(st.sampled_from(CLASS + STRANGERS), min_size=1, max_size=6, unique=True))
    file = st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=2).map("".join), st.sampled_from(SUFFIXES))
    files = st.lists(file.map("".join), min_size=1, max_size=3, unique=True)
    return [(who, name) for who in people for name in draw(files)]


@pytest.fixture(scope="module")
def rostered(empty_gradebook: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    # In a folder of its own: each example lists all files beside the course.
    root = tmp_path_factory.mktemp("class") / "course"
    root.mkdir()
    (root / "course_config.py").write_text(CONFIG)
    shutil.copy(empty_gradebook, root)
    return add_students(load_course(root), read_roster())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("enclosing", ["", "upload/"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=uploads())
def test_every_submission_reaches_its_student_or_is_named(
    rostered: Course, layout: Callable[[Someone, str, int], str], enclosing: str, chosen: list[tuple[Someone, str]]
) -> None:
    root = rostered.root
    shutil.rmtree(root / "submitted", ignore_errors=True)
    before = {path for path in root.parent.rglob("*") if path.name != "in.zip"}
    files = {f"{enclosing}{layout(who, file, index)}": f"of {who.name}" for index, (who, file) in enumerate(chosen)}
    done = collect(rostered, files)
    if done.returncode == 2:
        assert "--from" in done.stderr, "the archive may be of two platforms, which the instructor decides"
        assert submitted(rostered) == {}
        return
    owners = {someone.student: someone.name for someone in CLASS}
    for student, data in notebooks(rostered).items():
        assert data == f"of {owners[student]}".encode(), "a file of another person, or of a stranger"
    assert {path for path in root.parent.rglob("*") if path.name != "in.zip"} - before <= {
        path for path in [root / "submitted", *(root / "submitted").rglob("*")]
    }
    output = done.stdout.partition("in the roster, but not in this archive")[0] + done.stderr
    for who, file in chosen:
        person = {who.student, who.name, who.name.replace(" ", "").lower(), layout(who, file, 0)} - {""}
        assert any(name in output for name in person), f"nothing about {who.name}"
    if any(not who.student for who, _ in chosen):
        assert done.returncode != 0

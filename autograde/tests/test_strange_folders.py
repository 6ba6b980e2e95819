"""A folder whose name no file system should have: every command names it and goes on with the other students."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.release import assemble
from autograde.tests.checked_course import released_copy
from autograde.tests.commands import Done, course_here
from autograde.tests.tiny_course import SLUG, submit

STRANGE = ["ada\nbob: not graded", "ada\r", "\x1b[2Jada", "a\u202eda", "a\x7f", "a\u2028b"]
GOOD = "def scale(x, factor):\n    return x * factor"


@pytest.fixture(scope="module")
def graded(checked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Done]:
    """A class of one student and strange folders, also where grading and feedback write; and `course grade` of it."""
    course = released_copy(checked_once, tmp_path_factory.mktemp("strange"))
    submit(course, "good", json.dumps(assemble(course.open(SLUG), {"scale": GOOD})))
    for name in STRANGE:
        submit(course, name)
        for top in ("autograded", "feedback"):
            folder = course.root / top / name / SLUG
            folder.mkdir(parents=True)
        (course.root / "autograded" / name / SLUG / f"{SLUG}.ipynb").write_text("{}")
    return course, course_here(course, "grade", SLUG)


def test_grade_names_strange_folders_and_grades_the_others(graded: tuple[Course, Done]) -> None:
    course, done = graded
    assert done.returncode == 1
    assert sum("has invisible characters in its name; rename it" in line for line in done.stderr.splitlines()) == len(
        STRANGE
    )
    assert not any(line.startswith("bob: not graded") for line in done.stderr.splitlines())
    assert all(line.isprintable() for line in done.stderr.split("\n"))
    assert [path.stem for path in course.open(SLUG).paths.reports.glob("*.json")] == ["good"]
    again = course_here(course, "grade", SLUG, "--json")
    assert set(json.loads(again.stdout)["not_graded"]) == set(STRANGE)


@pytest.mark.parametrize("words", [["report", SLUG], ["report"], ["feedback", SLUG], ["export"]])
def test_command_names_strange_folders_and_continues(graded: tuple[Course, Done], words: list[str]) -> None:
    course, _ = graded
    done = course_here(course, *words)
    assert done.returncode == (1 if words[0] == "feedback" else 0), done.stderr
    lines = [line for line in (done.stdout + done.stderr).split("\n") if line]
    assert all(line.isprintable() for line in lines)
    if words[0] == "feedback":
        assert sum("invisible characters" in line for line in lines) == len(STRANGE)
        assert course.open(SLUG).paths.feedback("good").exists()
    if words[0] == "report":
        page = course.open(SLUG).paths.class_page.read_text()
        assert page.count("has invisible characters in its name") >= len(STRANGE)


def test_collect_beside_strange_folders_continues(graded: tuple[Course, Done], tmp_path: Path) -> None:
    course = released_copy(graded[0].root, tmp_path / "course")
    with zipfile.ZipFile(course.root / "in.zip", "w") as archive:
        archive.writestr(f"good/{SLUG}/{SLUG}.ipynb", "x")
    done = course_here(course, "collect", SLUG, "in.zip", "--accept-unknown")
    assert (done.returncode, "replaced: good" in done.stdout) == (0, True), done.stderr

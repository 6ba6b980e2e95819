"""A small class through the real commands: released, submitted, graded, regraded, marked, read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from autograde.course import Course, Limits
from autograde.notebooks.release import assemble
from autograde.tests.checked_course import released_copy
from autograde.tests.commands import course_command, course_here, nbgrader_command
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, submit

ANSWERS = {
    "ada": "def scale(x, factor):\n    return x * factor",
    "bob": "def scale(x, factor):\n    return x + factor",
    "cy": "def scale(x, factor):\n    while True: pass",
    "dee": "import os\nos._exit(3)",
    "eve": "def scale(x, factor:\n",
}
SCORES = {"ada": 4.0, "bob": 0.0, "cy": 0.0, "dee": 0.0, "eve": 0.0, "flo": 4.0, "late": 4.0, "untouched": 0.0}


@pytest.fixture(scope="module")
def graded(checked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The class, graded once."""
    made = released_copy(checked_once, tmp_path_factory.mktemp("class"))
    made = write_config(replace(made, limits=Limits(check_cpu_s=1, cell_wall_s=1)))
    for student, answer in ANSWERS.items():
        submit(made, student, assemble(made.open(SLUG), {"scale": answer, "why": "Because."}))
    submit(made, "late", assemble(made.open(SLUG), {}), when="2027-02-01 12:00:00 UTC")
    crashing = assemble(made.open(SLUG), {"scale": ANSWERS["ada"], "why": "Because."})
    crashing.cells.append(new_code_cell("import ctypes\nctypes.string_at(0)", id="my-own"))
    submit(made, "flo", crashing)
    submit(made, "untouched")
    (made.root / "submitted" / "gone" / SLUG).mkdir(parents=True)
    done = course_command(made, "grade", SLUG)
    assert done.returncode == 1, done.stderr
    assert "gone: not graded: No file" in done.stderr
    return made


@pytest.fixture
def course(graded: Course, tmp_path: Path) -> Course:
    """A copy for each test, so that none sees what another one changed."""
    return released_copy(graded.root, tmp_path / "course")


def mark(course: Course, student: str, score: float) -> None:
    """Mark the written answer by hand, as formgrader does."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, student)
        assert grade.needs_manual_grade
        grade.manual_score, grade.needs_manual_grade = score, False
        gradebook.db.commit()


def reports(course: Course) -> dict[str, str]:
    return {path.stem: path.read_text() for path in course.root.glob("reports/**/*.json")}


def scores(course: Course) -> dict[str, float]:
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        found = gradebook.assignment_submissions(SLUG)
        return {one.student.id: sum(grade.auto_score or 0 for grade in one.notebooks[0].grades) for one in found}


def test_class_scores_are_what_each_student_earned(course: Course) -> None:
    assert scores(course) == SCORES


def test_class_graded_again_gives_byte_identical_reports(course: Course) -> None:
    before = reports(course)
    assert len(before) == len(SCORES)
    assert course_here(course, "grade", SLUG, "--force", "--jobs", "1").returncode == 1
    assert reports(course) == before
    assert scores(course) == SCORES


def test_class_scores_equal_those_of_stock_nbgrader(course: Course) -> None:
    done = nbgrader_command(course, "autograde", SLUG, "--force", "--student", "[ab]*")
    assert done.returncode == 0, done.stderr
    assert scores(course) == SCORES


def test_class_only_the_late_submission_is_penalised(course: Course) -> None:
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        lost = {found.student.id: found.late_submission_penalty for found in gradebook.assignment_submissions(SLUG)}
    assert {student for student, penalty in lost.items() if penalty} == {"late"}


def test_manual_mark_of_a_changed_answer_is_requested_again(course: Course) -> None:
    mark(course, "ada", 1.5)
    submit(course, "ada", assemble(course.open(SLUG), {"scale": ANSWERS["ada"], "why": "Because I say so."}))
    course_here(course, "grade", SLUG, "--student", "ada")
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, "ada")
        assert (grade.manual_score, grade.needs_manual_grade) == (1.5, True)


def test_feedback_says_what_was_wrong_and_how_to_reproduce_it(course: Course) -> None:
    assert course_here(course, "feedback", SLUG).returncode == 0
    pages = {path.parents[1].name: path.read_text() for path in course.root.glob("feedback/*/*/*.html")}
    assert set(pages) == set(SCORES)
    assert "You add. Scaling multiplies." in pages["bob"]
    assert "scale(torch.tensor([" in pages["bob"]
    assert "did not finish within 1 s of computing" in pages["cy"]
    assert "SyntaxError" in pages["eve"]
    said = "the notebook ended its own process (killed by SIGSEGV); run again without this cell"
    assert pages["flo"].count(said) == 2, "once at the top, once under the cell"
    for page in pages.values():
        assert str(course.root) not in page
        assert "oracle" not in page


def test_check_command_prints_verdicts_and_report_of_one_file(course: Course) -> None:
    file = course.open(SLUG).paths.submitted("bob") / f"{SLUG}.ipynb"
    shown = course_here(course, "check", str(file), "--assignment", SLUG)
    assert (shown.returncode, "You add." in shown.stdout) == (0, True)
    written = ("--junit", "out.xml", "--gradescope", "results.json")
    report = json.loads(course_here(course, "check", str(file), "--assignment", SLUG, "--json", *written).stdout)
    verdicts = [verdict for exercise in report["exercises"] for verdict in exercise["verdicts"]]
    assert [verdict["outcome"] for verdict in verdicts] == ["failed", "failed"]
    assert {verdict["misconception"] for verdict in verdicts} == {"adds"}
    suite = ElementTree.parse(course.root / "out.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "2", "0")
    results = json.loads((course.root / "results.json").read_text())
    assert (results["score"], [test["max_score"] for test in results["tests"]]) == (0, [3, 1])

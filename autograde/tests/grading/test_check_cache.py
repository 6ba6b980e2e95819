"""What one run finds out of the checks, the next one need not; it never shows in a report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Submission
from autograde.notebooks.load import released_notebook
from autograde.report import encode_report
from autograde.tests.checked_course import released_copy
from autograde.tests.tiny_course import SLUG
from autograde.verification.programs import Kind, submission_of_program, written_programs

COUNTED = """

from pathlib import Path

def noted(x):
    with Path(DRAWN).open("a") as file:
        file.write("x")
    return x

@check(points=0)
@given(tensors((2,)).map(noted))
def test_counted(student, x):
    \"\"\"its draws are counted\"\"\"
    oracle.compare(student.scale(x, x), x, x)
"""


@pytest.fixture
def course(checked_once: Path, tmp_path: Path) -> Course:
    made = released_copy(checked_once, tmp_path)
    counted = COUNTED.replace("DRAWN", repr(str(tmp_path / "drawn")))
    change(made, "@oracle.misconception\ndef adds", f"{counted}\n\n@oracle.misconception\ndef adds")
    return made


def change(course: Course, old: str, new: str) -> None:
    """Edit the hidden tests."""
    file = course.open(SLUG).paths.hidden_tests / "test_scale.py"
    file.write_text(file.read_text().replace(old, new))


def graded(course: Course, submissions: list[Submission], jobs: int = 1) -> tuple[list[bytes], int]:
    """The reports, and how often the counted check drew."""
    drawn = course.root / "drawn"
    drawn.write_text("")
    with GraderPool(course.open(SLUG), jobs) as pool:
        reports = sorted(pool.grade(submissions), key=lambda report: report.student)
    return [encode_report(report) for report in reports], len(drawn.read_text())


def submissions(course: Course, kind: Kind) -> list[Submission]:
    work = course.open(SLUG)
    drafted = released_notebook(work)
    return [submission_of_program(work, program, drafted) for program in written_programs(work, kind)]


def kept(course: Course) -> list[Path]:
    return sorted(course.open(SLUG).paths.check_cache.glob("*"))


def test_check_cache_second_run_draws_nothing_and_reports_the_same(course: Course) -> None:
    right, wrong = submissions(course, Kind.RIGHT), submissions(course, Kind.WRONG)
    first_run, drawn = graded(course, wrong + right)
    assert drawn > 0
    assert len(kept(course)) == 1
    again, drawn = graded(course, right)
    assert drawn == 0
    shutil.rmtree(course.open(SLUG).paths.check_cache)
    several, _ = graded(course, right + wrong + right, jobs=2)
    assert set(again) <= set(first_run) == set(several)
    assert graded(course, wrong + right)[0] == first_run


def test_check_cache_is_rebuilt_for_changed_tests(course: Course) -> None:
    right = submissions(course, Kind.RIGHT)
    graded(course, right)
    before = kept(course)
    before[0].with_suffix(".killed.tmp").write_text("half of a fi")
    change(course, "tensors((2,)).map(noted)", "tensors((3,)).map(noted)")
    assert graded(course, right)[1] > 0
    assert len(kept(course)) == len(before) == 1
    assert kept(course) != before


def test_check_cache_stores_nothing_of_a_wrong_submission(course: Course) -> None:
    """A wrong submission stops before every input has been drawn."""
    graded(course, submissions(course, Kind.WRONG))
    assert not kept(course)


def test_check_cache_damaged_or_unwritable_costs_no_grade(course: Course) -> None:
    right = submissions(course, Kind.RIGHT)
    first_run, _ = graded(course, right)
    (file,) = kept(course)
    file.write_bytes(file.read_bytes()[:-1])
    assert graded(course, right)[0] == first_run
    shutil.rmtree(course.open(SLUG).paths.check_cache)
    course.open(SLUG).paths.check_cache.write_text("no folder")
    assert graded(course, right)[0] == first_run

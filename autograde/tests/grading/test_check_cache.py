"""What one run finds out of the checks, the next one need not; it never shows in a report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Submission
from autograde.notebooks.load import find_released_notebook
from autograde.report import encode_report
from autograde.tests.checked_course import hidden_tests, released_copy, write_hidden_tests
from autograde.tests.tiny_course import SLUG
from autograde.verification.programs import Kind, build_submission, list_programs


@pytest.fixture
def course(checked_once: Path, tmp_path: Path) -> Course:
    made = released_copy(checked_once, tmp_path)
    write_counted_tests(made, length=2)
    return made


def write_counted_tests(course: Course, length: int) -> None:
    """The hidden tests with one more check, of vectors of this length, which notes in a file each time that it draws."""
    counted = f"""

from pathlib import Path

def noted(x):
    with Path({str(course.root / "drawn")!r}).open("a") as file:
        file.write("x")
    return x

@check(points=0)
@given(tensors(({length},)).map(noted))
def test_counted(student, x):
    \"\"\"its draws are counted\"\"\"
    oracle.compare(student.scale(x, x), x, x)
"""
    write_hidden_tests(course, hidden_tests(more=counted))


def graded(course: Course, submissions: list[Submission], jobs: int = 1) -> tuple[list[bytes], int]:
    """The reports, and how often the counted check drew."""
    drawn = course.root / "drawn"
    drawn.write_text("")
    with GraderPool(course.open(SLUG), jobs) as pool:
        reports = sorted(pool.grade(submissions), key=lambda report: report.student)
    return [encode_report(report) for report in reports], len(drawn.read_text())


def submissions(course: Course, kind: Kind) -> list[Submission]:
    work = course.open(SLUG)
    drafted = find_released_notebook(work)
    return [build_submission(work, program, drafted) for program in list_programs(work, kind)]


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
    write_counted_tests(course, length=3)
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

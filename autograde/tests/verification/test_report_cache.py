"""Only what a change can have affected is graded again, and the findings are those of a verification from scratch."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.load import load_solution
from autograde.notebooks.release import draft
from autograde.report import Outcome, Report
from autograde.tests.checked_course import make_checked_course, program
from autograde.tests.report_builders import make_report, make_verdict
from autograde.tests.tiny_course import SLUG
from autograde.verification.orders import list_right_orders
from autograde.verification.problems import describe_problems
from autograde.verification.report_cache import ReportCache
from autograde.verification.result import Verification
from autograde.verification.verify import verify


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_checked_course(tmp_path)


def count_graded(course: Course, *, cached: bool = True, exercise: str = "") -> tuple[Verification, int]:
    """The findings, and the number of programs that were graded for them."""
    graded: list[int] = []
    found = verify(
        course.open(SLUG), 1, cached=cached, exercise=exercise, on_progress=lambda done, total: graded.append(total)
    )
    assert graded == [len(graded)] * len(graded)
    return found, len(graded)


def test_verify_grades_an_unchanged_assignment_once(course: Course) -> None:
    first, total = count_graded(course)
    second, graded = count_graded(course)
    assert graded == 0 < total
    second.confinement = first.confinement  # nothing ran, so nothing was confined
    assert second == first
    assert first.sound
    assert count_graded(course, cached=False)[1] == total


def test_verify_grades_a_changed_program_alone(course: Course) -> None:
    count_graded(course)
    wrong = course.open(SLUG).paths.wrong / "adds.py"
    wrong.write_text(program("return x * factor"))
    found, graded = count_graded(course)
    assert graded == 1
    assert describe_problems(found.problems) == ["wrong/adds.py gets full marks; no check catches it"]


def test_verify_grades_everything_that_a_changed_check_judges(course: Course) -> None:
    _, total = count_graded(course)
    test = course.open(SLUG).paths.hidden_tests / "test_scale.py"
    test.write_text(test.read_text() + "\n# another line\n")
    assert count_graded(course)[1] == total


def test_verify_of_one_exercise_grades_what_concerns_it(course: Course) -> None:
    found, _ = count_graded(course, exercise="scale")
    assert found.sound
    assert found.kills == {"adds": [0, 1], "rows_left_alone": [1]}


def test_verify_grades_again_what_it_cannot_read(course: Course) -> None:
    _, total = count_graded(course)
    for file in course.open(SLUG).paths.verified.iterdir():
        file.write_bytes(b"\x93damaged")
    assert count_graded(course)[1] == total
    assert count_graded(course)[1] == 0


@pytest.mark.parametrize(
    ("outcome", "traceback", "kept"),
    [
        (Outcome.PASSED, "", True),
        (Outcome.FAILED, "", True),
        (Outcome.CRASHED, "cell scale, line 2: 1 / 0", True),
        (Outcome.CRASHED, "", False),
        (Outcome.TIMED_OUT, "", False),
        (Outcome.BROKEN, "", False),
    ],
)
def test_report_cache_leaves_out_what_another_run_may_not_show(
    course: Course, outcome: Outcome, traceback: str, kept: bool
) -> None:
    work = course.open(SLUG)
    drafted = draft(work)
    order = next(list_right_orders(work, load_solution(work, drafted), drafted, seeds=1))
    report = make_report(verdicts=[make_verdict(outcome=outcome, traceback=traceback)])
    cache = ReportCache(work, "cpu")
    cache.store(order, report)
    found: Report | None = cache.load(order)
    assert (found == report) if kept else (found is None)

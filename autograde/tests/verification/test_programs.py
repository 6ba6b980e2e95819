"""Which programs `course verify` grades, and how it names them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from autograde.course import Course, CourseError
from autograde.report import Outcome
from autograde.tests.checked_course import make_checked_course
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG
from autograde.verification.expectations import judge
from autograde.verification.problems import describe_problems
from autograde.verification.programs import SOLUTION, Kind, Program
from autograde.verification.result import Verification
from autograde.verification.verify import verify


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_checked_course(tmp_path)


def append(course: Course, text: str) -> None:
    """To the hidden tests of `scale`."""
    with (course.open(SLUG).paths.hidden_tests / "test_scale.py").open("a") as file:
        file.write(text)


HIDDEN_FROM_A_READER = {
    "comment": "\n\n@oracle.misconception\n# A comment.\ndef is_right(x, factor):\n    {}\n    return factor * x\n",
    "decorator": "\n\n@oracle.misconception\n@(lambda f: f)\ndef is_right(x, factor):\n    {}\n    return factor * x\n",
    "loop": "\n\ndef is_right(x, factor):\n    {}\n    return factor * x\n\nfor one in [oracle]:\n"
    "    one.misconception(is_right)\n",
}


@pytest.mark.parametrize("text", HIDDEN_FROM_A_READER.values(), ids=HIDDEN_FROM_A_READER)
def test_verify_finds_misconceptions_however_they_are_written(course: Course, text: str) -> None:
    """The oracles are asked, not the test's text."""
    append(course, text.format('"""A hint."""'))
    assert describe_problems(verify(course.open(SLUG), jobs=1).problems) == [
        "test_scale.py: the misconception is_right gives the right answer in every check"
    ]


def test_verify_reports_tests_that_cannot_be_collected(course: Course) -> None:
    """Before any program is graded."""
    append(course, "\n\nimport no_such_module\n")
    with pytest.raises(CourseError, match="no_such_module"):
        verify(course.open(SLUG), jobs=1)


def test_verify_names_the_seed_of_a_program(course: Course) -> None:
    """A right program under another seed is a right program, also where a check without points flags it."""
    other = Program(Kind.RIGHT, "other", seed=3)
    report = make_report("seed 3/right/other")
    noted = msgspec.structs.replace(report.verdicts[0], outcome=Outcome.FAILED, max_points=0.0, points=0.0, reason="no")
    exercises = [msgspec.structs.replace(report.exercises[0], verdicts=[noted])]
    found = Verification(SLUG)
    judge(found, {SOLUTION: report, other: msgspec.structs.replace(report, exercises=exercises)}, {"scale": 4.0}, {})
    assert describe_problems(found.flagged) == [
        "right/other.py, with seed 3, is flagged in scale: any number is scaled: failed: no"
    ]
    assert found.right == []
    assert other.label == "seed 3/right/other"

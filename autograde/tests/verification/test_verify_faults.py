"""`course verify` names each fault of a course that is sound but for this fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autograde.tests.checked_course import (
    COMPARISON,
    MISCONCEPTIONS,
    SINGLE_ROWS,
    hidden_tests,
    make_checked_course,
    program,
)
from autograde.tests.tiny_course import SLUG, SOURCE, header, source_text
from autograde.verification.problems import describe_problems
from autograde.verification.verify import verify


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What differs from the sound course, and what the report says of it."""

    source: str = SOURCE
    tests: str = field(default_factory=hidden_tests)
    programs: Mapping[str, str] = field(default_factory=dict)
    said: str


def with_misconceptions(**more: str) -> str:
    """Hidden tests with these misconceptions too, given by their answers."""
    return hidden_tests(misconceptions=MISCONCEPTIONS | {name: ("A hint.", answer) for name, answer in more.items()})


ONLY_ADDS = {"adds": MISCONCEPTIONS["adds"]}
PASSES_ON_ANY_ERROR = '''

@check(points=1)
def test_refuses(student):
    """nothing is scaled by nothing"""
    from autograde.testing import StudentError

    try:
        student.scale(None, None)
    except StudentError:
        return
    raise AssertionError
'''
NEEDS_AN_EXPERIMENT = '''

@check(points=0)
def test_experiment(student):
    """is looked at"""
    assert student.value("later") == 6
'''
EXPERIMENT = f"\n# %% nbgrader={header(grade_id='experiment')}\nlater = scale(2, 3)\n"
COMPARED_WITH_UNDEFINED = "oracle.compare(student.scale(x, factor), y, factor)"
COMPARED_AT_ZERO = "oracle.compare(student.scale(x * 0, factor), x * 0, factor)"

FAULTS = {
    "a wrong program that defines another function": Fault(
        programs={"wrong/adds": program("return x + factor", function="scaled")},
        said="wrong/adds.py is caught, but its misconception",
    ),
    "a wrong program that is not Python": Fault(
        programs={"wrong/adds": program("return x + factor)")},
        said="its misconception adds is not recognised: its cell scale stops: SyntaxError in line 2",
    ),
    "a wrong program that is right": Fault(
        programs={"wrong/adds": program("return x * factor")},
        said="wrong/adds.py gets full marks; no check catches it",
    ),
    "a wrong program of no misconception": Fault(
        tests=hidden_tests(misconceptions=ONLY_ADDS),
        said="rows_left_alone.py is caught, but no hint names its misconception: "
        "write it as an @oracle.misconception named rows_left",
    ),
    "a wrong program that computes something else": Fault(
        programs={"wrong/adds": program("return x - factor")},
        said="its misconception adds is not recognised: its numbers differ from the program's",
    ),
    "a wrong program of another misconception": Fault(
        programs={"wrong/adds": program(f"return {SINGLE_ROWS}")},
        said="its misconception adds is not recognised; rows_left_alone is recognised instead",
    ),
    "two misconceptions with the same answers": Fault(
        tests=hidden_tests(misconceptions=ONLY_ADDS | {"sums": ("You sum.", "factor + x")} | MISCONCEPTIONS),
        said="wrong/adds.py is caught, but its misconception adds is not recognised: in 'every entry is scaled by its "
        "factor' sums gives the same numbers for every input; draw inputs",
    ),
    "a misconception that another one hides": Fault(
        tests=with_misconceptions(also_adds="factor + x"),
        said="the misconception also_adds is not recognised by its own answers",
    ),
    "a right program that is wrong": Fault(
        programs={"right/other": program("return factor - x")},
        said="right/other.py loses points in scale: every entry",
    ),
    "a right program that fails the public check": Fault(
        programs={"right/other": program("assert not isinstance(x, int); return factor * x")},
        said="right/other.py stops in the cell scale-checks: AssertionError",
    ),
    "a solution that fails the public check": Fault(
        source=source_text(example="assert scaled(2, 3) == 6"),
        said="the instructor's solution stops in the cell scale-checks: NameError in line 1: name 'scaled' is not defined",
    ),
    "a check that needs an experiment": Fault(
        source=source_text(experiments=EXPERIMENT),
        tests=hidden_tests(more=NEEDS_AN_EXPERIMENT),
        said="the solution, without the cells after its last answer, loses points in scale: is looked at",
    ),
    "points that do not add up": Fault(
        tests=hidden_tests(arguments=("points=2", "points=1")),
        said="its checks are worth 3 points, but the cell scale-checks",
    ),
    "checks that compare nothing": Fault(
        tests=hidden_tests(bodies=("student.scale(x, factor)", "student.scale(x, factor)")),
        said="exercise scale: no check compares an answer with an oracle, so it is unknown whether zeros would be noticed",
    ),
    "checks that zeros pass": Fault(
        tests=hidden_tests(bodies=(COMPARED_AT_ZERO, COMPARED_AT_ZERO)),
        said="exercise scale: zeros instead of every answer gets full marks",
    ),
    "a check that is broken": Fault(
        tests=hidden_tests(bodies=(COMPARISON, COMPARED_WITH_UNDEFINED)),
        said="scale: rows share their factors: broken: NameError: name 'y' is not defined "
        f"(hidden_tests/{SLUG}/test_scale.py:21)",
    ),
    "a check that a stub passes": Fault(
        tests=hidden_tests(more=PASSES_ON_ANY_ERROR),
        said="scale: nothing is scaled by nothing: gives 1 points to the untouched stub",
    ),
    "no check": Fault(
        tests='"""Later."""\n',
        said="exercise scale: test_scale.py contains no check; write one with @check(points=...)",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_verify_names_each_fault(tmp_path: Path, fault: str) -> None:
    wrong = FAULTS[fault]
    course = make_checked_course(tmp_path, source=wrong.source, tests=wrong.tests, programs=wrong.programs)
    problems = describe_problems(verify(course.open(SLUG), jobs=1).problems)
    assert any(wrong.said in problem for problem in problems), problems

"""Checks of an exercise share a fork while they pass; what one leaves behind costs no other a point."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from nbformat.v4 import new_notebook

from autograde.course import load_course
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Fingerprint, Submission
from autograde.report import Outcome, Report
from autograde.tests.checked_course import make_checked_course
from autograde.tests.tiny_course import SLUG

CHECKS = '''"""Hidden checks of scale."""

from hypothesis import given, strategies as st

from autograde.testing import Oracle, check

oracle = Oracle(lambda x, factor: x * factor)
numbers = st.floats(-4, 4, width=32)


@check(points=2)
def test_whole(student):
    """once, without anything drawn"""
    assert student.scale(3.0, 1.0) == 3.0


@check(points=1, examples=5)
@given(numbers)
def test_doubled(student, x):
    """twice"""
    oracle.compare(student.scale(x, 2.0), x, 2.0)


@check(points=1, examples=5)
@given(numbers)
def test_tripled(student, x):
    """three times"""
    oracle.compare(student.scale(x, 3.0), x, 3.0)


@oracle.misconception
def adds(x, factor):
    """You add. Scaling multiplies."""
    return x + factor
'''
UNREAD = Fingerprint("", ".ipynb", "")
COUNTED = "import os\nCALLS = []\ndef scale(x, factor):\n    CALLS.append(os.getpid())\n"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraderPool]:
    root = tmp_path_factory.mktemp("forks")
    make_checked_course(root)
    (root / "hidden_tests" / SLUG / "test_scale.py").write_text(CHECKS)
    with GraderPool(load_course(root).open(SLUG)) as graders:
        yield graders


def graded(pool: GraderPool, source: str) -> Report:
    return next(iter(pool.grade([Submission("ada", SLUG, new_notebook(), [("scale", source)], [], UNREAD)])))


def outcomes(report: Report) -> list[str]:
    return [verdict.outcome.value for verdict in report.verdicts]


def test_check_forks_passing_checks_share_a_fork(pool: GraderPool) -> None:
    """A program that triples rightly only after it was asked for the other two."""
    learns = COUNTED + "    return x * factor if factor != 3.0 or len(CALLS) > 6 else 0.0\n"
    assert outcomes(graded(pool, learns)) == ["passed", "passed", "passed"]


def test_check_forks_state_of_one_check_costs_no_other_a_point(pool: GraderPool) -> None:
    worn_out = COUNTED + "    return x * factor if len(CALLS) <= 6 else 0.0\n"
    assert outcomes(graded(pool, worn_out)) == ["passed", "passed", "passed"]


def test_check_forks_exit_costs_only_the_check_that_did_it(pool: GraderPool) -> None:
    dies = COUNTED + "    return x * factor if factor != 2.0 else os._exit(0)\n"
    report = graded(pool, dies)
    assert outcomes(report) == ["passed", "crashed", "passed"]
    assert report.verdicts[1].reason == "your code ended its own process"


def test_check_forks_report_only_answers_of_the_fresh_fork(pool: GraderPool) -> None:
    """After its first call it answers 7; in a fresh fork it adds, and that is what the hint says."""
    changeable = "SEEN = []\ndef scale(x, factor):\n    if factor == 1.0:\n        SEEN.append(x)\n        return x\n"
    changeable += "    return 7.0 if SEEN else x + factor\n"
    verdict = graded(pool, changeable).verdicts[1]
    assert verdict.outcome is Outcome.FAILED
    assert "got 7" not in verdict.reason
    assert verdict.hint == "You add. Scaling multiplies."

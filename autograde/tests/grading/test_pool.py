"""A grader that dies costs one submission a withheld report, and the class goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.grading import pool, pool_cache
from autograde.isolation.zygote_client import Zygote
from autograde.notebooks.extract import Submission
from autograde.notebooks.load import load_submission
from autograde.notebooks.release import assemble, release
from autograde.tests.checked_course import make_checked_course
from autograde.tests.tiny_course import SLUG, header

FATAL_TEST = """
import os, signal
from autograde.testing import check

@check(points=4)
def test_products(student):
    \"\"\"two times three\"\"\"
    if student.scale(2, 3) == "die":
        os.kill(os.getpid(), signal.SIGKILL)
"""
pytestmark = pytest.mark.long


@pytest.fixture
def course(tmp_path: Path) -> Course:
    made = make_checked_course(tmp_path)
    (made.open(SLUG).paths.hidden_tests / "test_scale.py").write_text(FATAL_TEST)
    release([made.open(SLUG)])
    return made


def submissions(course: Course, folder: Path, *answers: str) -> Iterator[Submission]:
    for number, answer in enumerate(answers):
        file = folder / f"{number}.ipynb"
        file.write_text(
            json.dumps(assemble(course.open(SLUG), {"scale": f"def scale(x, factor):\n    return {answer}"}))
        )
        yield load_submission(course.open(SLUG), str(file))


def test_pool_replaces_a_grader_that_died(course: Course, tmp_path: Path) -> None:
    with pool.GraderPool(course.open(SLUG), jobs=1) as graders:
        reports = list(graders.grade(submissions(course, tmp_path, "6", "'die'", "6")))
    assert [report.withheld for report in reports] == [False, True, False]
    assert [report.score for report in reports] == [4, 0, 4]
    assert "died while grading this submission" in reports[1].exercises[0].verdicts[0].reason


def test_pool_stops_when_every_grader_dies(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST_DEATHS", 1)
    with (
        pool.GraderPool(course.open(SLUG), jobs=1) as graders,
        pytest.raises(pool.GraderError, match="graders died in a row"),
    ):
        list(graders.grade(submissions(course, tmp_path, *["'die'"] * 3)))


def test_pool_that_can_no_longer_grade_is_closed(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a Dask worker whose zygote the system has killed: the next submission gets a new one."""
    monkeypatch.setattr(pool, "Zygote", Zygote)
    monkeypatch.setattr(pool_cache, "_pools", {})
    first, second, third = submissions(course, tmp_path, "6", "6", "6")
    assert pool_cache.grade_one(course.open(SLUG), first, "cpu").score == 4
    (kept,) = pool_cache._pools.values()
    kept.zygote.process.kill()
    kept.zygote.process.wait()
    with pytest.raises(pool.GraderError, match="the zygote is gone"):
        pool_cache.grade_one(course.open(SLUG), second, "cpu")
    assert pool_cache.grade_one(course.open(SLUG), third, "cpu").score == 4
    for other in pool_cache._pools.values():
        other.close()


def test_pool_points_without_checks_are_an_engine_fault(course: Course) -> None:
    submission = load_submission(course.open(SLUG))
    shutil.rmtree(course.open(SLUG).paths.hidden_tests)
    with (
        pool.GraderPool(course.open(SLUG)) as graders,
        pytest.raises(pool.GraderError, match="scale have points for hidden checks"),
    ):
        list(graders.grade([submission]))


def test_pool_needs_no_checks_where_people_mark_every_answer(course: Course) -> None:
    source = course.open(SLUG).paths.source
    head, _, rest = source.read_text().partition(
        f"# %% nbgrader={header(grade_id='scale-checks', grade=True, points=4)}"
    )
    source.write_text(head + rest[rest.index("# %%") :])
    shutil.rmtree(course.open(SLUG).paths.hidden_tests)
    release([course.open(SLUG)])
    with pool.GraderPool(course.open(SLUG)) as graders:
        (report,) = graders.grade([load_submission(course.open(SLUG))])
    assert (report.withheld, report.max_score, report.problems) == (False, 0, [])

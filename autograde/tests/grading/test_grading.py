"""The course's own assignments, graded across the real border; `course verify` does so with all of their programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.course import load_course
from autograde.grading.options import Options
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import submission_from_notebook
from autograde.notebooks.load import find_released_notebook, load_submission
from autograde.notebooks.release import assemble, read_program
from autograde.report import decode_report, encode_report

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("slug", "exercise", "wrong"),
    [("attention_head", "attention_weights", "no_scale"), ("rmsnorm", "rms_norm", "sum_for_mean")],
)
def test_grader_gives_full_marks_or_names_the_misconception(slug: str, exercise: str, wrong: str) -> None:
    course, one = load_course(ROOT), Options(exercises=frozenset({exercise}))
    program = assemble(course.open(slug), read_program(course.open(slug).paths.wrong / f"{wrong}.py")[1])
    mistaken = submission_from_notebook(program, find_released_notebook(course.open(slug)), wrong, slug)
    with GraderPool(course.open(slug)) as pool:
        submissions = [load_submission(course.open(slug))] * 2 + [mistaken]
        first, again, failing = pool.run((submission, one) for submission in submissions)
    assert first.score == first.max_score > 0
    assert again == first
    assert decode_report(encode_report(first)) == first
    assert failing.score < failing.max_score
    assert wrong in {verdict.misconception for verdict in failing.verdicts}

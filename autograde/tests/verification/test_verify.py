"""`course verify` on a small course that is sound, and what it notes that is no fault."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.release import release
from autograde.tests.checked_course import hidden_tests, make_checked_course, program
from autograde.tests.tiny_course import SLUG, source_text
from autograde.verification.page import write_verification
from autograde.verification.problems import describe_problems
from autograde.verification.result import Verification
from autograde.verification.verify import verify


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_checked_course(tmp_path)


def verified(course: Course) -> Verification:
    return verify(course.open(SLUG), jobs=1)


def test_verify_accepts_a_sound_assignment(course: Course) -> None:
    told: list[tuple[int, int]] = []
    found = verify(course.open(SLUG), jobs=1, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
    assert describe_problems(found.problems) == []
    assert found.right == ["other"]
    assert found.kills == {"adds": [0, 1], "rows_left_alone": [1]}
    assert found.redundant == []
    assert found.named == {"adds": "adds", "rows_left_alone": "rows_left_alone"}
    assert all(margin < 0.5 for margin, _ in found.nearest_right.values())
    assert all(margin > 100 for margin, _ in found.nearest_wrong.values())
    page, data = write_verification(course, found, course.root / "verified")
    assert "Scale: sound" in page.read_text()
    written = json.loads(data.read_text())
    assert written["wrong"]["rows_left_alone"] == [found.checks[1]]
    assert written["margins"][found.checks[0]]["wrong"]["program"] == "wrong/adds"


def test_verify_tries_a_misconception_by_its_own_answers(course: Course) -> None:
    (course.open(SLUG).paths.wrong / "adds.py").unlink()
    found = verified(course)
    assert describe_problems(found.problems) == []
    assert list(found.kills) == ["rows_left_alone"]


def test_verify_calls_no_check_redundant_without_wrong_programs(course: Course) -> None:
    shutil.rmtree(course.open(SLUG).paths.wrong)
    found = verified(course)
    assert (found.kills, found.redundant) == ({}, [])


def test_verify_flags_do_not_count_as_catching(tmp_path: Path) -> None:
    flag = """
from autograde.testing import contract


@check(points=0, examples=2)
@given(tensors((3,)), tensors((3,)))
def test_own_steps(student, x, factor):
    \"\"\"the product is your own (noted only, no points)\"\"\"
    contract.written_by_hand(student.scale, x, factor, without=["aten::addcmul"], rule="Multiply.")
"""
    built_in = "x.new_zeros(()).addcmul(factor, x)"
    right = program(f"import torch; return {built_in} if isinstance(x, torch.Tensor) else x * factor")
    programs = {"right/other": right, "wrong/flagged_only": program(f"return {built_in}")}
    found = verified(make_checked_course(tmp_path, tests=hidden_tests(more=flag), programs=programs))
    assert describe_problems(found.flagged) == [
        "right/other.py is flagged in scale: the product is your own (noted only, no points): failed: "
        "your code calls torch's own `addcmul`"
    ]
    assert describe_problems(found.problems) == ["wrong/flagged_only.py gets full marks; no check catches it"]


def test_verify_reports_a_broken_check_once(tmp_path: Path) -> None:
    tests = hidden_tests(reference="x * facto", arguments=("points=3", "points=1, after=test_products"))
    (problem,) = describe_problems(verified(make_checked_course(tmp_path, tests=tests)).problems)
    assert f"broken: NameError: name 'facto' is not defined (hidden_tests/{SLUG}/test_scale.py:7)" in problem


def test_verify_uses_the_source_and_not_an_older_release(course: Course) -> None:
    release([course.open(SLUG)])
    course.open(SLUG).paths.source.write_text(source_text(example="assert scale(2, 3) == 7"))
    assert any(
        problem.startswith("the instructor's solution stops in the cell scale-")
        for problem in describe_problems(verified(course).problems)
    )


def test_verify_notes_a_solution_line_that_is_shown_elsewhere(tmp_path: Path) -> None:
    source = source_text(intro="Write `scale`: product_of_both = x * factor")
    found = verified(make_checked_course(tmp_path, source=source))
    assert found.sound
    (line,) = found.shown
    assert f"source/{SLUG}.py:1: cell 'intro' shows students a line of the hidden part of cell 'scale'" in line

"""`course verify` on a small course that is sound, and on the same course with one thing wrong at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.release import release
from autograde.tests.checked_course import make_checked_course
from autograde.tests.tiny_course import SLUG, header
from autograde.verification.page import write_verification
from autograde.verification.problems import problem_sentences
from autograde.verification.result import Verification
from autograde.verification.verify import verify

Change = Callable[[Path], object]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_checked_course(tmp_path)


def verified(course: Course) -> Verification:
    return verify(course.open(SLUG), jobs=1)


def test_verify_accepts_a_sound_assignment(course: Course) -> None:
    told: list[tuple[int, int]] = []
    found = verify(course.open(SLUG), jobs=1, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
    assert problem_sentences(found.problems) == []
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
    (course.root / TESTS / "wrong" / "adds.py").unlink()
    found = verified(course)
    assert problem_sentences(found.problems) == []
    assert list(found.kills) == ["rows_left_alone"]


def test_verify_calls_no_check_redundant_without_wrong_programs(course: Course) -> None:
    shutil.rmtree(course.open(SLUG).paths.wrong)
    found = verified(course)
    assert (found.kills, found.redundant) == ({}, [])


TESTS = f"hidden_tests/{SLUG}"


def _edit(path: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        file = root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


IDEA = '\n\n@oracle.misconception\ndef {}(x, factor):\n    """A hint."""\n    return {}\n'


def _append(path: str, text: str) -> Change:
    def change(root: Path) -> None:
        with (root / path).open("a") as file:
            file.write(text)

    return change


def _idea(name: str, formula: str) -> Change:
    return _append(f"{TESTS}/test_scale.py", IDEA.format(name, formula))


PASSES_WHATEVER_RAISES = '''

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


def _needs_an_experiment(root: Path) -> None:
    _append(f"source/{SLUG}.py", f"\n# %% nbgrader={header(grade_id='experiment')}\nlater = scale(2, 3)\n")(root)
    _append(f"{TESTS}/test_scale.py", NEEDS_AN_EXPERIMENT)(root)


FAULTS: list[tuple[Change, str]] = [
    (_edit(f"{TESTS}/wrong/adds.py", "def scale", "def scaled"), "wrong/adds.py is caught, but its misconception"),
    (
        _edit(f"{TESTS}/test_scale.py", "@oracle.misconception\ndef rows", "def rows"),
        "rows_left_alone.py is caught, but no hint names its misconception: write it as an @oracle.misconception named rows_left",
    ),
    (
        _edit(f"{TESTS}/wrong/adds.py", "return x + factor", "return x + factor)"),
        "its misconception adds is not recognised: its cell scale stops: SyntaxError in line 2",
    ),
    (_edit(f"{TESTS}/right/other.py", "factor * x", "factor - x"), "right/other.py loses points in scale: every entry"),
    (_edit(f"{TESTS}/wrong/adds.py", "x + factor", "x * factor"), "wrong/adds.py gets full marks; no check catches it"),
    (
        _edit(f"{TESTS}/wrong/adds.py", "x + factor", "x - factor"),
        "its misconception adds is not recognised: it gives other numbers than the program does",
    ),
    (
        _edit(
            f"{TESTS}/test_scale.py",
            "@oracle.misconception\ndef rows",
            '@oracle.misconception\ndef sums(x, factor):\n    """You sum."""\n    return factor + x\n\n\n'
            "@oracle.misconception\ndef rows",
        ),
        "wrong/adds.py is caught, but its misconception adds is not recognised: in 'every entry is scaled by its factor'"
        " sums gives the same numbers for every input; draw inputs",
    ),
    (
        _edit(f"{TESTS}/wrong/adds.py", "return x + factor", "return x * factor if x.dim() == 1 else x"),
        "its misconception adds is not recognised: what is recognised is rows_left_alone",
    ),
    (
        _edit(f"{TESTS}/test_scale.py", "points=3", "points=2"),
        "its checks are worth 3 points, but the cell scale-checks",
    ),
    (
        _edit(
            f"{TESTS}/test_scale.py", "oracle.compare(student.scale(x, factor), x, factor)", "student.scale(x, factor)"
        ),
        "exercise scale: no check compares an answer with an oracle, so nothing shows that zeros would be noticed",
    ),
    (
        _edit(
            f"{TESTS}/test_scale.py",
            "student.scale(x, factor), x, factor",
            "student.scale(x * 0, factor), x * 0, factor",
        ),
        "exercise scale: zeros instead of every answer gets full marks",
    ),
    (
        _edit(f"{TESTS}/test_scale.py", "student.scale(x, factor), x", "student.scale(x, factor), y"),
        f"scale: rows share their factors: broken: NameError: name 'y' is not defined (hidden_tests/{SLUG}/test_scale.py:21)",
    ),
    (
        _edit(f"{TESTS}/right/other.py", "return factor", "assert not isinstance(x, int); return factor"),
        "right/other.py stops in the cell scale-checks: AssertionError",
    ),
    (
        _edit(f"source/{SLUG}.py", "assert scale(2, 3) == 6", "assert scaled(2, 3) == 6"),
        "the instructor's solution stops in the cell scale-checks: NameError in line 1: name 'scaled' is not defined",
    ),
    (
        _append(f"{TESTS}/test_scale.py", PASSES_WHATEVER_RAISES),
        "scale: nothing is scaled by nothing: gives 1 points to the stub, where nothing is written",
    ),
    (
        _needs_an_experiment,
        "the solution, when its cells behind the last answer are not run, loses points in scale: is looked at",
    ),
    (
        lambda root: (root / TESTS / "test_scale.py").write_text('"""Later."""\n'),
        "exercise scale: test_scale.py holds no check; write one with @check(points=...)",
    ),
    (_idea("is_right", "factor * x"), "test_scale.py: the misconception is_right answers right wherever it is asked"),
    (_idea("also_adds", "factor + x"), "the misconception also_adds is not recognised by its own answers"),
]


def test_verify_flags_do_not_count_as_catching(course: Course) -> None:
    flag = """
from autograde.testing import contract


@check(points=0, examples=2)
@given(tensors((3,)), tensors((3,)))
def test_own_steps(student, x, factor):
    \"\"\"the product is your own (noted only, no points)\"\"\"
    contract.written_by_hand(student.scale, x, factor, without=["aten::addcmul"], rule="Multiply.")
"""
    tests = course.open(SLUG).paths.hidden_tests
    (tests / "test_scale.py").write_text((tests / "test_scale.py").read_text() + flag)
    ready_made = "x.new_zeros(()).addcmul(factor, x) if isinstance(x, torch.Tensor) else x * factor"
    _edit(f"{TESTS}/right/other.py", "return factor * x", f"import torch; return {ready_made}")(course.root)
    (tests / "wrong" / "flagged_only.py").write_text(
        '"""Right."""\n\n# %% scale\ndef scale(x, factor):\n    return x.new_zeros(()).addcmul(factor, x)\n'
    )
    found = verified(course)
    assert problem_sentences(found.flagged) == [
        "right/other.py is flagged in scale: the product is your own (noted only, no points): failed: "
        "your code calls torch's own `addcmul`"
    ]
    assert problem_sentences(found.problems) == ["wrong/flagged_only.py gets full marks; no check catches it"]


def test_verify_reports_a_broken_check_once(course: Course) -> None:
    _edit(f"{TESTS}/test_scale.py", "Oracle(lambda x, factor: x * factor)", "Oracle(lambda x, factor: x * facto)")(
        course.root
    )
    _edit(f"{TESTS}/test_scale.py", "@check(points=1)", "@check(points=1, after=test_products)")(course.root)
    (problem,) = problem_sentences(verified(course).problems)
    assert f"broken: NameError: name 'facto' is not defined (hidden_tests/{SLUG}/test_scale.py:7)" in problem


def test_verify_uses_the_source_and_not_an_older_release(course: Course) -> None:
    release([course.open(SLUG)])
    _edit(f"source/{SLUG}.py", "assert scale(2, 3) == 6", "assert scale(2, 3) == 7")(course.root)
    assert any(
        problem.startswith("the instructor's solution stops in the cell scale-")
        for problem in problem_sentences(verified(course).problems)
    )


def test_verify_notes_a_solution_line_that_is_shown_elsewhere(course: Course) -> None:
    _edit(f"source/{SLUG}.py", "# Write `scale`.", "# Write `scale`: product_of_both = x * factor")(course.root)
    found = verified(course)
    assert found.sound
    (line,) = found.shown
    assert f"source/{SLUG}.py:1: cell 'intro' shows students a line of the hidden part of cell 'scale'" in line


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[said[:40] for _, said in FAULTS])
def test_verify_names_each_fault(course: Course, change: Change, said: str) -> None:
    change(course.root)
    assert any(said in problem for problem in problem_sentences(verified(course).problems))

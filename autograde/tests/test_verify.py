"""`course verify` on a small course that is sound, and on the same course with one thing wrong at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.course import Assignment, Course
from autograde.tests.tiny_course import SLUG, SOURCE
from autograde.verify import Verification, verify

HIDDEN_TEST = '''"""Hidden checks of scale."""

from hypothesis import given

from autograde.testing import Oracle, check, tensors

oracle = Oracle(lambda x, factor: x * factor)


@check(points=3)
@given(tensors((3,)), tensors((3,)))
def test_products(student, x, factor):
    """every entry is scaled by its factor"""
    oracle.compare(student.scale(x, factor), x, factor)


@check(points=1)
@given(tensors((2, 3)), tensors((3,)))
def test_rows(student, x, factor):
    """rows share their factors"""
    oracle.compare(student.scale(x, factor), x, factor)


@oracle.misconception
def adds(x, factor):
    """You add. Scaling multiplies."""
    return x + factor


@oracle.misconception
def rows_left_alone(x, factor):
    """You scale single rows only. Any leading axes are allowed."""
    return x * factor if x.dim() == 1 else x
'''
RIGHT = '"""The other way round."""\n\n# %% scale\ndef scale(x, factor):\n    return factor * x\n'
WRONG = {
    "adds": '"""Adds."""\n\n# %% scale\ndef scale(x, factor):\n    return x + factor\n',
    "rows_left_alone": (
        '"""One row only."""\n\n# %% scale\ndef scale(x, factor):\n    return x * factor if x.dim() == 1 else x\n'
    ),
}
Change = Callable[[Path], object]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    tests = tmp_path / "hidden_tests" / SLUG
    for folder in ("right", "wrong"):
        (tests / folder).mkdir(parents=True)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / f"{SLUG}.py").write_text(SOURCE)
    (tests / "test_scale.py").write_text(HIDDEN_TEST)
    (tests / "right" / "other.py").write_text(RIGHT)
    for name, program in WRONG.items():
        (tests / "wrong" / f"{name}.py").write_text(program)
    made = Course(name="tiny", assignments=[Assignment(SLUG, title="Scale")], root=tmp_path)
    (tmp_path / "course_config.py").write_text(
        f"from autograde.course import Assignment, Course\nCOURSE = Course('tiny', [Assignment({SLUG!r}, title='Scale')])\n"
    )
    return made


def verified(course: Course) -> Verification:
    return verify(course, SLUG, jobs=1)


def test_a_sound_assignment(course: Course) -> None:
    found = verified(course)
    assert found.problems == []
    assert found.right == ["other"]
    assert found.kills == {"adds": [0, 1], "rows_left_alone": [1]}
    assert found.redundant == []


def _edit(path: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        file = root / path
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return change


TESTS = f"hidden_tests/{SLUG}"
FAULTS: list[tuple[Change, str]] = [
    (_edit(f"{TESTS}/wrong/adds.py", "def scale", "def scaled"), "wrong/adds.py is caught, but its misconception"),
    (_edit(f"{TESTS}/test_scale.py", "@oracle.misconception\ndef rows", "def rows"), "rows_left_alone.py is caught, but no hint names"),
    (_edit(f"{TESTS}/right/other.py", "factor * x", "factor - x"), "right/other.py loses points in scale: every entry"),
    (_edit(f"{TESTS}/wrong/adds.py", "x + factor", "x * factor"), "wrong/adds.py gets full marks; no check catches it"),
    (_edit(f"{TESTS}/wrong/adds.py", "x + factor", "x - factor"), "its misconception adds is not recognised"),
    (_edit(f"{TESTS}/test_scale.py", "points=3", "points=2"), "its checks are worth 3 points, but the cell scale-checks"),
    (
        _edit(f"{TESTS}/test_scale.py", "oracle.compare(student.scale(x, factor), x, factor)", "student.scale(x, factor)"),
        "exercise scale: zeros in place of every answer gets full marks",
    ),
    (_edit(f"{TESTS}/test_scale.py", "student.scale(x, factor), x", "student.scale(x, factor), y"), "NameError"),
]


@pytest.mark.parametrize(("change", "said"), FAULTS, ids=[said[:40] for _, said in FAULTS])
def test_each_fault_is_named(course: Course, change: Change, said: str) -> None:
    change(course.root)
    assert any(said in problem for problem in verified(course).problems)

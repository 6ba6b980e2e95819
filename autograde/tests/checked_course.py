"""A small course with real checks: an oracle, a misconception, a right program and two wrong ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograde.course import Course, load_course
from autograde.tests.tiny_course import SLUG, SOURCE

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
PROGRAMS = {
    "right/other": ("The other way round.", "return factor * x"),
    "wrong/adds": ("Adds.", "return x + factor"),
    "wrong/rows_left_alone": ("Scales one row only.", "return x * factor if x.dim() == 1 else x"),
}
CONFIG = f"""from autograde.course import Assignment, Course, Late
COURSE = Course(
    "tiny",
    [
        Assignment({SLUG!r}, title="Scale", due="2027-01-31 23:59"),
    ],
    late=Late(per_day=0.1),
)
"""


def make_checked_course(root: Path) -> Course:
    """Write the course below `root`."""
    tests = root / "hidden_tests" / SLUG
    for folder in (tests / "right", tests / "wrong", root / "source"):
        folder.mkdir(parents=True)
    (root / "source" / f"{SLUG}.py").write_text(SOURCE)
    (root / "course_config.py").write_text(CONFIG)
    (root / "nbgrader_config.py").write_text((Path(__file__).parents[2] / "nbgrader_config.py").read_text())
    (tests / "test_scale.py").write_text(HIDDEN_TEST)
    for name, (docstring, body) in PROGRAMS.items():
        program = f'"""{docstring}"""\n\n# %% scale\ndef scale(x, factor):\n    {body}\n'
        (tests / f"{name}.py").write_text(program)
    return load_course(root)


@pytest.fixture(scope="session")
def checked_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course released once for all tests, in a copy of an existing gradebook."""
    from autograde.notebooks.release import release

    course = make_checked_course(tmp_path_factory.mktemp("checked"))
    shutil.copy(released_once / "gradebook.db", course.root)
    release([course.open(SLUG)])
    return course.root


def released_copy(checked_once: Path, root: Path) -> Course:
    """A copy below `root`, for submissions."""
    shutil.copytree(checked_once, root, dirs_exist_ok=True)
    return load_course(root)

"""The tiny course with real hidden checks, misconceptions, and right and wrong programs.

Tests say by keywords what their course has instead: `make_checked_course(root, tests=hidden_tests(reference="x"))`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from autograde.course import Assignment, Course, Late, load_course
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, SOURCE

COMPARISON = "oracle.compare(student.scale(x, factor), x, factor)"
SINGLE_ROWS = "x * factor if x.dim() == 1 else x"
MISCONCEPTIONS = {
    "adds": ("You add. Scaling multiplies.", "x + factor"),
    "rows_left_alone": ("You scale single rows only. Any leading axes are allowed.", SINGLE_ROWS),
}
"""name -> (hint, answer)"""


def hidden_tests(
    *,
    reference: str = "x * factor",
    arguments: tuple[str, str] = ("points=3", "points=1"),
    bodies: tuple[str, str] = (COMPARISON, COMPARISON),
    misconceptions: Mapping[str, tuple[str, str]] = MISCONCEPTIONS,
    more: str = "",
) -> str:
    """Two hidden checks with these arguments of @check and these bodies, then the misconceptions and `more` code."""
    text = f'''"""Hidden checks of scale."""

from hypothesis import given

from autograde.testing import Oracle, check, tensors

oracle = Oracle(lambda x, factor: {reference})


@check({arguments[0]})
@given(tensors((3,)), tensors((3,)))
def test_products(student, x, factor):
    """every entry is scaled by its factor"""
    {bodies[0]}


@check({arguments[1]})
@given(tensors((2, 3)), tensors((3,)))
def test_rows(student, x, factor):
    """rows share their factors"""
    {bodies[1]}
'''
    for name, (hint, answer) in misconceptions.items():
        text += f'\n\n@oracle.misconception\ndef {name}(x, factor):\n    """{hint}"""\n    return {answer}\n'
    return text + more


def program(body: str, *, docstring: str = "A program.", function: str = "scale") -> str:
    """A right or wrong program whose answer is this function of `x` and `factor`."""
    return f'"""{docstring}"""\n\n# %% scale\ndef {function}(x, factor):\n    {body}\n'


PROGRAMS = {
    "right/other": program("return factor * x", docstring="The other way round."),
    "wrong/adds": program("return x + factor", docstring="Adds."),
    "wrong/rows_left_alone": program(f"return {SINGLE_ROWS}", docstring="Scales one row only."),
}


def make_checked_course(
    root: Path, *, source: str = SOURCE, tests: str | None = None, programs: Mapping[str, str] | None = None
) -> Course:
    """Write the course below `root`, with these programs in addition to PROGRAMS or instead of those of their names."""
    folder = root / "hidden_tests" / SLUG
    for each in (folder / "right", folder / "wrong", root / "source"):
        each.mkdir(parents=True)
    (root / "source" / f"{SLUG}.py").write_text(source)
    (root / "nbgrader_config.py").write_text((Path(__file__).parents[2] / "nbgrader_config.py").read_text())
    (folder / "test_scale.py").write_text(hidden_tests() if tests is None else tests)
    for name, text in (PROGRAMS | dict(programs or {})).items():
        (folder / f"{name}.py").write_text(text)
    assignment = Assignment(SLUG, title="Scale", due="2027-01-31 23:59")
    return write_config(Course("tiny", [assignment], late=Late(per_day=0.1), root=root))


def write_hidden_tests(course: Course, tests: str) -> None:
    """Replace the course's hidden tests."""
    (course.open(SLUG).paths.hidden_tests / "test_scale.py").write_text(tests)


@pytest.fixture(scope="session")
def checked_once(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The course released once for all tests, in a copy of an existing gradebook."""
    from autograde.notebooks.release import release

    course = make_checked_course(tmp_path_factory.mktemp("checked"))
    shutil.copy(released_once / "gradebook.db", course.root)
    release([course.open(SLUG)])
    return course.root


def released_copy(root: Path, copy: Path) -> Course:
    """A copy at `copy` of the course at `root`, for a test that changes it."""
    shutil.copytree(root, copy, dirs_exist_ok=True)
    return load_course(copy)

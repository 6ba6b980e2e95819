"""One function in the locked cells of two notebooks is found, whatever it is called there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograde.course import Assignment, Course
from autograde.tests.checked_course import make_checked_course
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, header, source_text
from autograde.verification.problems import describe_problems
from autograde.verification.shared_functions import find_shared_functions

FUNCTION = '''def {name}(x):
    """{words}"""
    total = sum(x)
    return [value / total for value in x]
'''
LAYER = """class {name}:
    def __init__(self, width):
        super().__init__()
        self.width = width
        self.twice = 2 * width
"""


def course_with(root: Path, mine: str, theirs: str, locked: bool = True) -> Course:
    """Two assignments, each with one of these cells."""
    cell = f"\n# %% nbgrader={header(grade_id='given', locked=locked, solution=not locked)}\n"
    course = make_checked_course(root, source=source_text(experiments=cell + mine))
    (root / "hidden_tests" / "other").mkdir()
    (root / "hidden_tests" / "other" / "test_scale.py").write_text("")
    (root / "source" / "other.py").write_text(source_text(experiments=cell + theirs))
    other = Assignment("other", title="Other", due="2027-01-31 23:59")
    return write_config(replace(course, assignments=[*course.assignments, other]))


def problems_of(course: Course) -> list[str]:
    return describe_problems(find_shared_functions(course.open(SLUG)))


def test_shared_function_is_found_by_its_body(tmp_path: Path) -> None:
    mine, theirs = FUNCTION.format(name="share", words="Shares."), FUNCTION.format(name="part", words="Other words.")
    [sentence] = problems_of(course_with(tmp_path, mine, theirs))
    assert "the function share in the locked cell given has the body of part in other" in sentence


@pytest.mark.parametrize(
    ("mine", "theirs", "locked"),
    [
        (FUNCTION.format(name="f", words="x"), FUNCTION.format(name="f", words="x").replace("/", "*"), True),
        (FUNCTION.format(name="f", words="x"), FUNCTION.format(name="f", words="x"), False),
        ("def f(x):\n    return x", "def g(x):\n    return x", True),
        (LAYER.format(name="A"), LAYER.format(name="B"), True),
    ],
)
def test_function_that_differs_or_is_small_is_not_shared(tmp_path: Path, mine: str, theirs: str, locked: bool) -> None:
    assert problems_of(course_with(tmp_path, mine, theirs, locked)) == []

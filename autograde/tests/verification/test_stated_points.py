"""Points that a notebook states are those that its cells give."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.course import CourseError
from autograde.notebooks.source import read_source
from autograde.tests.checked_course import make_checked_course
from autograde.tests.tiny_course import EXAMPLE, INTRO, NOTES, SLUG, source_text
from autograde.verification.problems import describe_problems
from autograde.verification.stated_points import find_stated_point_problems

TABLE = "| exercise | points |\n# |---|---|\n# | 1. `scale` | {} |\n# | 2. why | {} |"


def problems_with(root: Path, intro: str, heading: str = "### A question (2 points)") -> list[str]:
    source = source_text(intro=f"{INTRO}\n#\n# {intro}\n#\n# ## `scale` (4 points)", notes=f"{NOTES}\n#\n# {heading}")
    course = make_checked_course(root, source=source)
    return describe_problems(find_stated_point_problems(read_source(course.open(SLUG))))


def test_stated_points_may_be_right_or_missing(tmp_path: Path) -> None:
    assert problems_with(tmp_path / "a", TABLE.format(4, 2)) == []
    assert problems_with(tmp_path / "b", "No table.") == []
    assert problems_with(tmp_path / "c", TABLE.format(4, 2) + "\n# | total | 6 |") == []


@pytest.mark.parametrize(
    ("intro", "heading", "said"),
    [
        (TABLE.format(5, 2), "### A question (2 points)", "the table row '1. `scale`' states 5 points; its cells are"),
        (TABLE.format(4, 3), "### A question (2 points)", "the table row '2. why' states 3 points"),
        (
            TABLE.format(4, 2),
            "### A question (1 point)",
            "the heading 'A question' states 1 points; the cells below it",
        ),
        (TABLE.format(4, 2), "### A question (no points)", "the heading 'A question' states 0 points"),
        (TABLE.format(4, 2) + "\n# | sum | 7 |", "### A question (2 points)", "the table row 'sum' states 7 points"),
        (TABLE.format(4, 2) + "\n# | 3. more | 1 |", "### A question (2 points)", "the table of points has 3 rows"),
    ],
)
def test_stated_points_that_differ_are_named(tmp_path: Path, intro: str, heading: str, said: str) -> None:
    assert any(said in sentence for sentence in problems_with(tmp_path, intro, heading))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("### BEGIN HIDDEN TESTS\nassert False\n### END HIDDEN TESTS", "is removed and never run"),
        ("# BEGIN HIDDEN TESTS", "is removed and never run"),
        ("### Begin Solution", "write ### BEGIN SOLUTION"),
        ("### end solution", "write ### END SOLUTION"),
        ("### BEGIN SOLUTIONS", "write ### BEGIN SOLUTION"),
        ("### BEGIN SOLUTOIN", "write ### BEGIN SOLUTION"),
        ("###BEGIN_SOLUTION", "write ### BEGIN SOLUTION"),
        ("# begin hidden tests", "write ### BEGIN HIDDEN TESTS"),
        ("# Begin mark-scheme", "write ### BEGIN MARK SCHEME"),
    ],
)
def test_source_markers_that_mark_nothing_are_refused(tmp_path: Path, line: str, said: str) -> None:
    course = make_checked_course(tmp_path, source=source_text(example=f"{EXAMPLE}\n{line}"))
    with pytest.raises(CourseError, match=said):
        read_source(course.open(SLUG))


@pytest.mark.parametrize("line", ["# The solution begins here.", "# In the end, solutions differ.", "# begin"])
def test_source_prose_is_no_marker(tmp_path: Path, line: str) -> None:
    course = make_checked_course(tmp_path, source=source_text(example=f"{line}\n{EXAMPLE}"))
    read_source(course.open(SLUG))

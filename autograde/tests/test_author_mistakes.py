"""A mistake of the author is named with its file, its line and what to write instead."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograde.tests.checked_course import COMPARISON, hidden_tests, make_checked_course
from autograde.tests.commands import course_command, course_here
from autograde.tests.edits import edit
from autograde.tests.tiny_course import SLUG

TEST = f"hidden_tests/{SLUG}/test_scale.py"
SOURCE = f"source/{SLUG}.py"
CONFIG = "course_config.py"
CHECK, GIVEN = "@check(points=1)\n", "@given(tensors((2, 3)), tensors((3,)))\n"


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """In `file`, the author wrote `wrote` instead of `meant`; `command` reports it, in these words."""

    file: str
    meant: str
    wrote: str
    command: str = "verify"
    said: tuple[str, ...]


MISTAKES = {
    "header-not-json": Mistake(
        file=SOURCE, meant='"grade_id": "scale", ', wrote='"grade_id": "scale",, ',
        command="release", said=(f"{SOURCE}:8:", "not JSON"),
    ),
    "header-in-python": Mistake(
        file=SOURCE, meant='"grade": true, "grade_id": "scale-checks"', wrote='"grade": True, "grade_id": "scale-checks"',
        command="release", said=(f"{SOURCE}:16:", "true and false"),
    ),
    "no-points": Mistake(
        file=SOURCE, meant='"points": 4, ', wrote="",
        command="release", said=("scale-checks", 'add "points": 1'),
    ),
    "not-python": Mistake(
        file=TEST, meant="def test_rows(", wrote="def test_rows((",
        said=(f"{TEST}:19: SyntaxError",),
    ),
    "no-title": Mistake(
        file=TEST, meant='    """rows share their factors"""\n', wrote="",
        said=(f"{TEST}:17: ValueError", "no docstring"),
    ),
    "no-check": Mistake(
        file=TEST, meant=CHECK, wrote="",
        said=(f"{TEST}:17: test_rows", "write @check(points=...) above it"),
    ),
    "check-below-given": Mistake(
        file=TEST, meant=CHECK + GIVEN, wrote=GIVEN + CHECK,
        said=(f"{TEST}:17: test_rows", "write @check above @given"),
    ),
    "not-drawn": Mistake(
        file=TEST, meant=GIVEN, wrote="@given(tensors((3,)))\n",
        said=(f"{TEST}:17: test_rows", "no strategy for `x`"),
    ),
    "one-test-twice": Mistake(
        file=TEST, meant="def test_rows(", wrote="def test_products(",
        said=(f"{TEST}:19:", "hides the one on line 12"),
    ),
    "no-such-cell": Mistake(
        file=f"hidden_tests/{SLUG}/wrong/adds.py", meant="# %% scale", wrote="# %% scales",
        said=("wrong/adds.py: ", "did you mean scale?"),
    ),
    "reveal-as-text": Mistake(
        file=CONFIG, meant="    late=", wrote='    reveal="nothing", late=',
        said=("reveal is 'nothing'; write Reveal.",),
    ),
    "per-cent": Mistake(
        file=CONFIG, meant="per_day=0.1", wrote="per_day=10",
        said=(f"{CONFIG}:7: ValueError", "it must be a share of the score"),
    ),
    "no-assignment": Mistake(
        file=CONFIG, meant=" Assignment(", wrote=" ('scale'), Assignment(",
        said=("'scale' is not an assignment",),
    ),
    "unknown-setting": Mistake(
        file=CONFIG, meant="late=", wrote="lat=",
        said=(f"{CONFIG}:2: TypeError", "'lat'"),
    ),
    "no-such-reference": Mistake(
        file=TEST, meant="oracle = ", wrote="import reference_impl.gone\noracle = ",
        said=("test_scale.py", "gone"),
    ),
    "points": Mistake(
        file=TEST, meant="points=3", wrote="points=2",
        said=("worth 3 points", "scale-checks"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_author_mistake_is_named_with_its_location(tmp_path: Path, name: str) -> None:
    mistake = MISTAKES[name]
    course = make_checked_course(tmp_path)
    edit(course.root / mistake.file, mistake.meant, mistake.wrote)
    done = course_here(course, mistake.command, SLUG)
    assert done.returncode in (1, 2)
    for words in mistake.said:
        assert words in done.stderr


def test_verify_keeps_prints_of_a_hidden_test_out_of_the_json(tmp_path: Path) -> None:
    printing = f"print('looked at', x)\n    {COMPARISON}"
    course = make_checked_course(tmp_path, tests=hidden_tests(bodies=(printing, printing)))
    done = course_command(course, "verify", SLUG, "--json")
    assert json.loads(done.stdout)[0]["sound"]
    assert "looked at" in done.stderr


def test_author_mistake_missing_hidden_tests_are_named(tmp_path: Path) -> None:
    course = make_checked_course(tmp_path)
    (course.root / TEST).unlink()
    done = course_here(course, "verify", SLUG)
    assert done.returncode in (1, 2)
    assert f"hidden_tests/{SLUG}" in done.stderr

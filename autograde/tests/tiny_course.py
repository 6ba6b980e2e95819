"""A real course of two cells for tests of the engine: one function, one written answer."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograde.course import Assignment, Course, Late
from autograde.tests.config_file import write_config

SLUG = "a01_scale"


def header(**keys: Any) -> str:
    return json.dumps({"grade": False, "locked": True, "schema_version": 3, "solution": False} | keys, sort_keys=True)


INTRO = "Write `scale`."
EXAMPLE = "assert scale(2, 3) == 6"
NOTES = "Room for your notes."


def source_text(*, intro: str = INTRO, example: str = EXAMPLE, notes: str = NOTES, experiments: str = "") -> str:
    """The instructor's source: with this introduction, public check, text before the question, and cells at the end."""
    return f'''# %% [markdown] nbgrader={header(grade_id="intro")}
# # Scale
# {intro}

# %% nbgrader={header(grade_id="imports")}
import math

# %% nbgrader={header(grade_id="scale", locked=False, solution=True)}
def scale(x, factor):
    """x times factor"""
    ### BEGIN SOLUTION
    product_of_both = x * factor
    return product_of_both
    ### END SOLUTION

# %% nbgrader={header(grade_id="scale-checks", grade=True, points=4)}
{example}

# %% [markdown]
# {notes}

# %% [markdown] nbgrader={header(grade_id="why", grade=True, solution=True, locked=False, points=2)}
# ### BEGIN SOLUTION
# Because scaling is a linear map.
# ### END SOLUTION
# ### BEGIN MARK SCHEME
# One point for naming linearity.
# ### END MARK SCHEME
{experiments}'''


SOURCE = source_text()
HIDDEN_TEST = '''"""Hidden checks of scale."""

def test_products(student):
    """any number is scaled by any factor"""
    assert student.scale(1234.5, 6.789) == 1234.5 * 6.789
'''


def make_course(root: Path) -> Course:
    """Write a tiny course below `root`."""
    (root / "source" / "data").mkdir(parents=True)
    (root / "hidden_tests" / SLUG).mkdir(parents=True)
    (root / "source" / f"{SLUG}.py").write_text(SOURCE)
    (root / "source" / "data" / "numbers.txt").write_text("1 2 3\n")
    (root / "hidden_tests" / SLUG / "test_scale.py").write_text(HIDDEN_TEST)
    assignment = Assignment(SLUG, title="Scale", due="2027-01-31 23:59", data=("numbers.txt",))
    return write_config(Course("tiny", [assignment], late=Late(per_day=0.1, at_most=0.5), root=root))


def submit(course: Course, student: str, notebook: Any = None, *, name: str = f"{SLUG}.ipynb", when: str = "") -> Path:
    """Write a submission: a notebook, or any bytes or text; by default the release untouched."""
    folder = course.open(SLUG).paths.submitted(student)
    folder.mkdir(parents=True, exist_ok=True)
    if notebook is None:
        notebook = course.open(SLUG).paths.released_notebook.read_bytes()
    data = notebook if isinstance(notebook, bytes) else notebook.encode() if isinstance(notebook, str) else None
    (folder / name).write_bytes(nbformat.writes(notebook).encode() if data is None else data)
    if when:
        (folder / "timestamp.txt").write_text(when)
    return folder / name


def make_copied_and_cut(course: Course) -> tuple[Any, Any]:
    """Two releases: one with its answer cell twice, one without its checks and with wrong metadata."""
    copied, cut = (nbformat.read(course.open(SLUG).paths.released_notebook, as_version=4) for _ in range(2))
    copied.cells.insert(3, copy.deepcopy(copied.cells[2]))
    copied.cells[3]["id"] = "copy"
    del cut.cells[3]
    cut.cells[1].metadata = nbformat.from_dict({"nbgrader": {"grade": True, "points": 99}, "collapsed": True})
    return copied, cut


@pytest.fixture
def tiny_course(tmp_path: Path) -> Course:
    """A course that has not released anything."""
    return make_course(tmp_path)


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course released once for all tests, because nbgrader takes a second to create a gradebook."""
    from autograde.notebooks.release import release

    course = make_course(tmp_path_factory.mktemp("released"))
    release([course.open(SLUG)])
    return course.root


@pytest.fixture
def released(released_once: Path, tiny_course: Course) -> Course:
    """A course that has released its assignment."""
    shutil.copytree(released_once, tiny_course.root, dirs_exist_ok=True)
    return tiny_course

"""A class that was graded and marked and has submitted again, and the files and grades after grading it once more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograde.course import load_course
from autograde.notebooks.release import assemble
from autograde.tests.checked_course import released_copy
from autograde.tests.commands import course_here
from autograde.tests.machine import skip_without
from autograde.tests.tiny_course import SLUG, submit

WRONG = "def scale(x, factor):\n    return x + factor"
Snapshot = dict[str, object]


@pytest.fixture(scope="session")
def resubmitted(checked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class that was graded, had an answer marked by hand, and has submitted again since."""
    skip_without("confinement")
    course = released_copy(checked_once, tmp_path_factory.mktemp("resubmitted"))
    for student in ("ada", "bob", "cy"):
        submit(course, student, assemble(course.open(SLUG), {"why": "Because."}))
    assert course_here(course, "grade", SLUG).returncode == 0
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        mark = gradebook.find_grade("why", SLUG, SLUG, "ada")
        mark.manual_score, mark.needs_manual_grade = 1.5, False
        gradebook.db.commit()
    for student in ("ada", "bob"):
        submit(course, student, assemble(course.open(SLUG), {"scale": WRONG, "why": "Because."}))
    return course.root


def grade(root: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "autograde.cli", "grade", SLUG]
    return subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def snapshot(root: Path) -> Snapshot:
    """Everything that a run writes: files by content, grades by value."""
    files = [path for name in ("reports", "autograded", "build") for path in (root / name).rglob("*") if path.is_file()]
    # What the gradebook took over is noted by a digest of its entry, whose ids are random in each gradebook.
    files = [path for path in files if "recorded" not in path.relative_to(root).parts]
    found: Snapshot = {str(path.relative_to(root)): path.read_bytes() for path in files if path.suffix != ".txt"}
    course = load_course(root)
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for one in gradebook.assignment_submissions(SLUG):
            grades = [(g.name, g.auto_score, g.manual_score, g.needs_manual_grade) for g in one.notebooks[0].grades]
            found[one.student.id] = (one.score, one.late_submission_penalty, sorted(grades))
    return found


@pytest.fixture(scope="session")
def undisturbed(resubmitted: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Snapshot, float]:
    """The folder of an undisturbed run, what the run wrote, and how long it took."""
    root = tmp_path_factory.mktemp("undisturbed") / "course"
    shutil.copytree(resubmitted, root)
    start = time.monotonic()
    assert grade(root).wait() == 0
    took = time.monotonic() - start
    left = snapshot(root)
    assert left["ada"] == (1.5, 0.0, [("scale-checks", 0.0, None, False), ("why", None, 1.5, False)])
    return root, left, took

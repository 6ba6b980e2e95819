"""A grading run that is killed at any moment, and run again, leaves what an undisturbed run leaves.

`KILL_POINTS=100 pytest -m long autograde/tests/test_nothing_lost.py` tries a hundred moments.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograde.course import Course, load_course
from autograde.notebooks.release import assemble
from autograde.records import marks
from autograde.records.gradebook import record
from autograde.tests.regraded_class import Snapshot, grade, snapshot
from autograde.tests.tiny_course import SLUG, hand_in

KILL_POINTS = int(os.environ.get("KILL_POINTS", "4"))


def still_at_work(root: Path) -> list[int]:
    """Processes whose working folder is the course."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if place.resolve() == root:
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.long
@pytest.mark.parametrize("point", range(KILL_POINTS))
def test_a_killed_run_is_made_good_by_the_next(
    resubmitted: Path, undisturbed: tuple[Path, Snapshot, float], tmp_path: Path, point: int
) -> None:
    _, left, took = undisturbed
    root = tmp_path / "course"
    shutil.copytree(resubmitted, root)
    run = grade(root)
    time.sleep(random.Random(point).uniform(0.1, 1.1) * took)
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 20
    while still_at_work(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert still_at_work(root) == []
    assert grade(root).wait() == 0
    assert snapshot(root) == left


def test_a_mark_is_remembered_over_a_run_that_was_killed_while_it_recorded(
    resubmitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "course"
    shutil.copytree(resubmitted, root)
    course = load_course(root)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(marks, "keep_marked", killed)
        with pytest.raises(KeyboardInterrupt):
            record_unchanged(course, monkeypatch)
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        assert gradebook.find_grade("why", SLUG, SLUG, "ada").needs_manual_grade
    record_unchanged(course, monkeypatch)
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        assert not gradebook.find_grade("why", SLUG, SLUG, "ada").needs_manual_grade
    assert not list((root / "build").glob("marked-*.json"))


def record_unchanged(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    """Record the class as it was graded first, without grading what it has handed in since."""
    from autograde.grading import pool

    for student in ("ada", "bob"):
        hand_in(course, student, assemble(course, SLUG, {"why": "Because."}))
    monkeypatch.chdir(course.root)
    monkeypatch.setattr(pool, "grade_one", None)
    assert record(course, SLUG, ["ada", "bob", "cy"]) == {}

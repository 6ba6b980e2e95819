"""A grading run that is killed at any moment, and run again, leaves what an undisturbed run leaves.

Some moments are those of the whole command. Most of its time goes into starting graders, when nothing is written yet; so
most moments are those of a run whose grader has its reports ready.
`KILL_POINTS=100 pytest -m long autograde/tests/test_nothing_lost.py` tries a hundred of each.
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
from sqlalchemy.orm import Session

from autograde.course import Work, load_course
from autograde.notebooks.extract import Submission
from autograde.notebooks.release import assemble
from autograde.records import nbgrader_hooks
from autograde.records.grade_class import grade_class
from autograde.records.gradebook import record
from autograde.report import Report, decode_report
from autograde.reports.changes_page import write_changes
from autograde.tests.commands import course_here
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.regraded_class import Snapshot, grade, snapshot
from autograde.tests.tiny_course import SLUG, submit

KILL_POINTS = int(os.environ.get("KILL_POINTS", "0"))
WHOLE, READY = KILL_POINTS or 2, KILL_POINTS or 15
ENDED_S = 90.0
"""by when the graders of a killed run are gone, also those that were just importing torch on a busy machine"""


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
@pytest.mark.parametrize("point", range(WHOLE))
def test_killed_run_is_completed_by_the_next(
    resubmitted: Path, undisturbed: tuple[Path, Snapshot, float], tmp_path: Path, point: int
) -> None:
    _, left, took = undisturbed
    root = tmp_path / "course"
    shutil.copytree(resubmitted, root)
    run = grade(root)
    time.sleep(random.Random(point).uniform(0.1, 1.1) * took)
    run.send_signal(signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + ENDED_S
    while still_at_work(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert still_at_work(root) == []
    assert course_here(load_course(root), "grade", SLUG).returncode == 0
    assert snapshot(root) == left


def recorded_grader(undisturbed: Path) -> FakeGrader:
    """Grades with the reports of an undisturbed run: what is left to do is all that a kill could spoil."""
    paths = load_course(undisturbed).open(SLUG).paths
    return FakeGrader(lambda student: decode_report(paths.report(student).read_bytes()))


def grade_from_here(root: Path, grader: FakeGrader) -> int:
    """What `course grade` does, with this grader, in a fork of this process, which has imported all; its number."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.chdir(root)
            work = load_course(root).open(SLUG)
            result = grade_class(work, graders=grader.open)
            write_changes(work)
            status = 1 if result.errors else 0
        finally:
            os._exit(status)
    return process


def status_of(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


@pytest.fixture(scope="module")
def ready(
    resubmitted: Path, undisturbed: tuple[Path, Snapshot, float], tmp_path_factory: pytest.TempPathFactory
) -> tuple[FakeGrader, Snapshot, float]:
    """A grader with its reports ready, what an undisturbed run with it leaves, and how long it takes."""
    grader = recorded_grader(undisturbed[0])
    root = tmp_path_factory.mktemp("ready") / "course"
    shutil.copytree(resubmitted, root)
    start = time.monotonic()
    assert status_of(grade_from_here(root, grader)) == 0
    took = time.monotonic() - start
    left = snapshot(root)
    assert left.keys() == undisturbed[1].keys()
    for student in ("ada", "bob", "cy"):
        assert left[student] == undisturbed[1][student]
    return grader, left, took


@pytest.mark.long
@pytest.mark.parametrize("point", range(READY))
def test_killed_run_is_completed_by_the_next_after_partial_writes(
    resubmitted: Path, ready: tuple[FakeGrader, Snapshot, float], tmp_path: Path, point: int
) -> None:
    grader, left, took = ready
    root = tmp_path / "course"
    shutil.copytree(resubmitted, root)
    run = grade_from_here(root, grader)
    time.sleep(random.Random(point).uniform(0, 1.05) * took)
    os.kill(run, signal.SIGKILL)
    os.waitpid(run, 0)
    assert status_of(grade_from_here(root, grader)) == 0
    assert snapshot(root) == left


@pytest.mark.parametrize("committed", [False, True])
def test_killed_run_keeps_manual_marks(
    resubmitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    """Ada's marked answer is as it was, bob's is another than the one that was marked."""
    root = tmp_path / "course"
    shutil.copytree(resubmitted, root)
    course = load_course(root)
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        mark = gradebook.find_grade("why", SLUG, SLUG, "bob")
        mark.manual_score, mark.needs_manual_grade = 1.0, False
        gradebook.db.commit()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for student, why in {"ada": "Because.", "bob": "Because I say so."}.items():
        submit(course, student, assemble(course.open(SLUG), {"why": why}))
    monkeypatch.chdir(root)
    monkeypatch.setattr(nbgrader_hooks, "load_or_grade", report_there)  # no matter what was submitted since
    for student in ("ada", "bob"):
        with monkeypatch.context() as patch:
            patch.setattr(*((Path, "replace") if committed else (Session, "commit")), killed)
            with pytest.raises(KeyboardInterrupt):
                record(course.open(SLUG), [student])
    assert record(course.open(SLUG), ["ada", "bob", "cy"]) == {}
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        marks = [gradebook.find_grade("why", SLUG, SLUG, student) for student in ("ada", "bob")]
        assert [(mark.manual_score, mark.needs_manual_grade) for mark in marks] == [(1.5, False), (1.0, True)]
    assert not list(root.rglob("*.tmp"))


def report_there(work: Work, submission: Submission, checks: str) -> Report:
    return decode_report(work.paths.report(submission.student).read_bytes())

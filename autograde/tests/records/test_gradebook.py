"""Grades reach nbgrader's gradebook from reports alone, and one bad submission harms only itself."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import DatabaseError

from autograde.course import Course, CourseError
from autograde.lms_import.roster import read_roster
from autograde.notebooks.release import release
from autograde.notebooks.submitted import list_submitters
from autograde.records import database
from autograde.records.gradebook import record, write_feedback
from autograde.records.gradebook_status import read_gradebook_statuses
from autograde.report import CellRun
from autograde.reports.exporters import export_grades
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report, make_withheld_report
from autograde.tests.tiny_course import SLUG, make_copied_and_cut, submit


def scores(course: Course) -> dict[str, Any]:
    """student -> automatic score of the checks cell; None if nothing was recorded."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        found = {}
        for submission in gradebook.assignment_submissions(SLUG):
            grade = gradebook.find_grade("scale-checks", SLUG, SLUG, submission.student.id)
            found[submission.student.id] = grade.auto_score
        return found


def test_gradebook_scores_come_from_reports(released: Course, fake_grader: FakeGrader) -> None:
    """And a bad submission stops no other student."""
    copied, cut = make_copied_and_cut(released)
    submit(released, "ann", copied)
    submit(released, "bob", cut)
    submit(released, "cyd", b'{"cells": [')
    submit(released, "dan")
    submit(released, "eve", '# %% nbgrader={"grade_id": "scale"}\nscale = 1\n', name=f"{SLUG}.py")
    released.open(SLUG).paths.submitted("fay").mkdir(parents=True)
    fake_grader.reports = {
        "ann": make_report(points=2.5), "bob": make_report(points=0.0), "dan": make_withheld_report("dan"), "eve": make_report(points=1.5),
    }  # fmt: skip
    students = list_submitters(released.open(SLUG))
    assert students == ["ann", "bob", "cyd", "dan", "eve", "fay"]
    errors = record(released.open(SLUG), students)
    assert set(errors) == {"cyd", "dan", "fay"}
    assert "our fault" in errors["dan"]
    assert scores(released) == {"ann": 2.5, "bob": 0.0, "eve": 1.5}


def test_gradebook_regrading_keeps_manual_marks(released: Course, fake_grader: FakeGrader) -> None:
    """And a withheld report changes nothing."""
    submit(released, "ann")
    fake_grader.reports["ann"] = make_report(points=1.0)
    assert record(released.open(SLUG), ["ann"]) == {}
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, "ann")
        grade.manual_score = 1.25
        gradebook.db.commit()
    released.open(SLUG).paths.report("ann").unlink()
    fake_grader.reports["ann"] = make_report(points=3.0)
    assert record(released.open(SLUG), ["ann"]) == {}
    released.open(SLUG).paths.report("ann").unlink()
    fake_grader.reports["ann"] = make_withheld_report("ann")
    assert "ann" in record(released.open(SLUG), ["ann"])
    assert scores(released) == {"ann": 3.0}
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        assert gradebook.find_grade("why", SLUG, SLUG, "ann").manual_score == 1.25
        assert gradebook.find_submission(SLUG, "ann").score == 4.25


def test_report_that_is_current_is_not_made_again(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann")
    record(released.open(SLUG), ["ann"])
    record(released.open(SLUG), ["ann"])
    assert fake_grader.graded == ["ann"]


def test_gradebook_report_without_the_exercise_scores_zero(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann")
    fake_grader.reports["ann"] = make_report(exercises=[])
    assert "no checks of exercise 'scale'" in record(released.open(SLUG), ["ann"])["ann"]
    assert scores(released).get("ann") is None


def test_autograded_notebook_shows_report_and_harmless_outputs(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann")
    hostile: list[dict[str, Any]] = [
        {"output_type": "display_data", "data": {"text/html": "<b onclick='x'>hi</b><script>1</script>",
                                                 "application/javascript": "alert(1)", "image/svg+xml": "<svg/>"}},
        {"output_type": "stream", "name": "stderr", "text": "\x1b[31mred\x1b[0m"},
        {"output_type": "bomb"}, {"output_type": "display_data", "data": {"application/javascript": "x"}},
    ]  # fmt: skip
    fake_grader.reports["ann"] = make_report(points=2.0, cells=[CellRun(cell="scale", outputs=hostile)])
    assert record(released.open(SLUG), ["ann"]) == {}
    notebook = nbformat.read(released.open(SLUG).paths.autograded("ann") / f"{SLUG}.ipynb", 4)
    nbformat.validate(notebook)
    shown, red, left_out = notebook.cells[2].outputs
    assert shown.data == {"text/html": "<b>hi</b>"}
    assert red.text == "red"
    assert "left out" in left_out.data["text/plain"]
    report, score = notebook.cells[3].outputs
    assert "2 of 4 points" in report.data["text/html"]
    assert score.data == {"text/plain": "2.0"}


def test_gradebook_that_is_locked_changes_nothing(
    released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCKED_S", 0.2)
    submit(released, "ann")
    path = released.root / "gradebook.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(CourseError, match="locked by another program"):
            record(released.open(SLUG), ["ann"])
    assert scores(released) == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'old'", "nbgrader db upgrade"),
        ("DELETE FROM assignment", "does not know"),
    ],
)
def test_gradebook_that_does_not_match_is_refused(
    released: Course, fake_grader: FakeGrader, change: str, words: str
) -> None:
    submit(released, "ann")
    with closing(sqlite3.connect(released.root / "gradebook.db")) as connection, connection:
        connection.execute(change)
    with pytest.raises(CourseError, match=words):
        record(released.open(SLUG), ["ann"])
    assert not (released.root / "autograded").exists()


def test_gradebook_that_is_missing_is_named(tiny_course: Course, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="no gradebook yet"):
        record(tiny_course.open(SLUG), ["ann"])
    (tmp_path / "gradebook.db").write_text("not a database at all, just text")
    with pytest.raises(CourseError, match="not a gradebook"):
        record(tiny_course.open(SLUG), ["ann"])


def test_gradebook_written_answer_waits_for_a_mark(released: Course, fake_grader: FakeGrader) -> None:
    """An untouched one scores zero."""
    answered = nbformat.read(released.open(SLUG).paths.released_notebook, 4)
    answered.cells[-1]["source"] = "Because it is linear."
    submit(released, "ann", answered)
    submit(released, "bob")
    assert record(released.open(SLUG), ["ann", "bob"]) == {}
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        assert gradebook.find_grade("why", SLUG, SLUG, "ann").needs_manual_grade
        assert gradebook.find_grade("why", SLUG, SLUG, "bob").auto_score == 0
        assert gradebook.find_comment("why", SLUG, SLUG, "bob").comment == "No response."


def test_gradebook_bad_timestamp_is_named(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann", when="yesterday")
    assert "timestamp.txt: not a time" in record(released.open(SLUG), ["ann"])["ann"]


def open_descriptors(course: Course) -> list[str]:
    """Files of the gradebook that this process holds open."""
    places = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    return [place for place in places if place.startswith(str(course.root / "gradebook.db"))]


def use_gradebook(course: Course) -> dict[str, Callable[[], object]]:
    return {
        "release": lambda: release([course.open(SLUG)]),
        "record": lambda: record(course.open(SLUG), ["ann", "bob"]),
        "feedback": lambda: write_feedback(course.open(SLUG)),
        "standings": lambda: read_gradebook_statuses(course.open(SLUG)),
        "export": lambda: export_grades(course, "nbgrader", str(course.root / "grades.csv")),
        "roster": lambda: read_roster(course),
    }


def test_gradebook_leaves_no_connection_open(
    released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted by descriptors: only Python 3.13 and later warn of a connection that nothing closed."""
    monkeypatch.chdir(released.root)
    submit(released, "ann")
    submit(released, "bob")
    gc.disable()
    try:
        for name, use in use_gradebook(released).items():
            use()
            assert open_descriptors(released) == [], name
    finally:
        gc.enable()


def test_gradebook_that_cannot_be_opened_is_closed(released: Course) -> None:
    """nbgrader's own class leaves its connection to the garbage collector then."""
    (released.root / "gradebook.db").write_text("not a database at all, just text\n" * 200)
    with pytest.raises(DatabaseError, match="not a database") as kept:  # it holds the frames, and what they hold
        database.CourseGradebook(released)
    assert open_descriptors(released) == []
    assert kept.tb is not None

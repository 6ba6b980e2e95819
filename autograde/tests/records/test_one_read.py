"""A submission is parsed once, and not at all while nothing that its grade depends on has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from sqlalchemy.exc import OperationalError

from autograde.course import Course, Work
from autograde.notebooks import submitted
from autograde.notebooks.extract import Submission
from autograde.notebooks.release import assemble, release
from autograde.records.grade_class import ClassResult, grade_class
from autograde.records.gradebook_writer import GradebookWriter
from autograde.report import Report
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, source_text, submit

STUDENTS = ["ann", "bob", "cyd"]
LATE = "2027-02-02 12:00:00 UTC"


class Run:
    """Runs over a class: how often each run parsed, whom it graded, and what came of it."""

    def __init__(self, course: Course, parsed: list[str]) -> None:
        self.course, self.parsed = course, parsed
        self.graded: list[str] = []

    def __call__(self, course: Course | None = None, report_of: Callable[[str], Report] = make_report) -> ClassResult:
        grader = FakeGrader(report_of)
        self.parsed.clear()
        result = grade_class((course or self.course).open(SLUG), graders=grader.open)
        self.graded = grader.graded
        return result

    def __repr__(self) -> str:
        return f"parsed {self.parsed}, graded {self.graded}"

    @property
    def work(self) -> Work:
        return self.course.open(SLUG)

    def recorded_answer(self, student: str) -> str:
        notebook = nbformat.read(self.work.paths.autograded(student) / f"{SLUG}.ipynb", as_version=4)
        (source,) = (cell.source for cell in notebook.cells if cell.id == "why")
        return str(source)


@pytest.fixture
def run(released: Course, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A class that has submitted, and was not graded yet."""
    parsed: list[str] = []
    parse = submitted.submission_from_text

    def spy(data: bytes, released: Path, student: str, slug: str, suffix: str) -> Submission:
        parsed.append(student)
        return parse(data, released, student, slug, suffix)

    monkeypatch.setattr(submitted, "submission_from_text", spy)
    monkeypatch.chdir(released.root)
    for student in STUDENTS:
        submit(released, student, assemble(released.open(SLUG), {"why": f"Because {student} says so."}), when=LATE)
    return Run(released, parsed)


def test_grade_class_parses_each_submission_once(run: Run) -> None:
    assert run().errors == {}
    assert run.parsed == run.graded == STUDENTS


def test_grade_class_parses_nothing_when_nothing_changed(run: Run) -> None:
    first = run()
    again = run()
    assert (run.parsed, run.graded) == ([], [])
    assert again.reports == first.reports


def test_grade_class_parses_what_was_submitted_again(run: Run) -> None:
    run()
    submit(run.course, "bob", assemble(run.work, {"why": "Because."}))
    assert run().reports.keys() == set(STUDENTS)
    assert run.parsed == run.graded == ["bob"]
    assert run.recorded_answer("bob") == "Because."


def test_grade_class_tells_a_script_from_a_notebook_of_the_same_bytes(run: Run) -> None:
    run()
    folder = run.work.paths.submitted("bob")
    (folder / f"{SLUG}.ipynb").rename(folder / f"{SLUG}.py")
    run()
    assert run.parsed == run.graded == ["bob"]


def test_grade_class_grades_again_after_a_changed_release(run: Run) -> None:
    run()
    run.work.paths.source.write_text(source_text(intro="Write `scale`, please."))
    release([run.work])
    assert run().errors == {}
    assert run.parsed == run.graded == STUDENTS
    assert "please" in (run.work.paths.autograded("ann") / f"{SLUG}.ipynb").read_text()


def test_grade_class_grades_again_after_changed_policies(run: Run) -> None:
    run()
    run(replace(run.course, seed=run.course.seed + 1))
    assert run.parsed == run.graded == STUDENTS


def test_grade_class_grades_again_after_changed_checks(run: Run) -> None:
    run()
    test = run.work.paths.hidden_tests / "test_scale.py"
    test.write_text(test.read_text() + "\n# changed\n")
    run()
    assert run.parsed == run.graded == STUDENTS


def test_grade_class_records_the_notebook_that_it_graded(run: Run) -> None:
    """A file that is replaced after it was read is graded and recorded by the next run."""

    def submit_meanwhile(student: str) -> Report:
        if student == "bob":
            submit(run.course, "bob", assemble(run.work, {"why": "On second thoughts."}))
        return make_report(student)

    assert run(report_of=submit_meanwhile).errors == {}
    assert run.recorded_answer("bob") == "Because bob says so."
    run()
    assert run.parsed == run.graded == ["bob"]
    assert run.recorded_answer("bob") == "On second thoughts."


def test_grade_class_starts_no_graders_if_no_submission_can_be_read(run: Run) -> None:
    for student in STUDENTS:
        submit(run.course, student, b"no notebook")
    result = run()
    assert result.errors.keys() == set(STUDENTS)
    assert (run.graded, result.confinement) == ([], None)


def test_grade_class_records_again_what_the_gradebook_lost(run: Run) -> None:
    run()
    with Gradebook(run.course.gradebook_url, run.course.name) as gradebook:
        gradebook.remove_submission(SLUG, "ann")
        gradebook.find_grade("scale-checks", SLUG, SLUG, "bob").auto_score = 1.0
        gradebook.find_comment("why", SLUG, SLUG, "cyd").auto_comment = "No response."
        gradebook.db.commit()
    run()
    assert (sorted(run.parsed), run.graded) == (STUDENTS, [])
    with Gradebook(run.course.gradebook_url, run.course.name) as gradebook:
        assert [gradebook.find_grade("scale-checks", SLUG, SLUG, who).auto_score for who in STUDENTS] == [4.0] * 3
        assert gradebook.find_comment("why", SLUG, SLUG, "cyd").auto_comment is None


@pytest.mark.parametrize("damage", ["autograded notebook", "note of what is recorded"])
def test_grade_class_records_again_what_is_damaged_on_disk(run: Run, damage: str) -> None:
    run()
    notebook, note = run.work.paths.autograded("ann") / f"{SLUG}.ipynb", run.work.paths.recorded("ann")
    before = notebook.read_bytes()
    (notebook if damage == "autograded notebook" else note).unlink()
    run()
    assert (run.parsed, run.graded) == (["ann"], [])
    assert notebook.read_bytes() == before


def test_grade_class_updates_penalties_and_keeps_marks_without_parsing(run: Run) -> None:
    run()
    with Gradebook(run.course.gradebook_url, run.course.name) as gradebook:
        assert gradebook.find_submission_notebook(SLUG, SLUG, "ann").late_submission_penalty > 0
        mark = gradebook.find_grade("why", SLUG, SLUG, "ann")
        mark.manual_score, mark.needs_manual_grade = 2.0, False
        gradebook.find_submission(SLUG, "ann").extension = timedelta(days=7)
        gradebook.db.commit()
    run()
    assert (run.parsed, run.graded) == ([], [])
    with Gradebook(run.course.gradebook_url, run.course.name) as gradebook:
        entry = gradebook.find_submission_notebook(SLUG, SLUG, "ann")
        assert (entry.late_submission_penalty, entry.score) == (None, 6.0)
        assert not gradebook.find_grade("why", SLUG, SLUG, "ann").needs_manual_grade


def test_grade_class_goes_on_grading_while_the_gradebook_is_locked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of grading are not lost: what could not be recorded is tried again at the end."""
    record, failed = GradebookWriter.record, list[str]()

    def locked_once(self: GradebookWriter, student: str, graded: object = None) -> None:
        if not failed:
            failed.append(student)
            raise OperationalError("INSERT", {}, Exception("database is locked"))
        record(self, student, graded)  # type: ignore[arg-type]

    monkeypatch.setattr(GradebookWriter, "record", locked_once)
    assert run().errors == {}
    assert (failed, run.graded) == (["ann"], STUDENTS)
    with Gradebook(run.course.gradebook_url, run.course.name) as gradebook:
        assert [gradebook.find_grade("scale-checks", SLUG, SLUG, who).auto_score for who in STUDENTS] == [4.0] * 3

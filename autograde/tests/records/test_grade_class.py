"""A class is graded whatever its size: read as graders become free, kept without what its cells put out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from autograde.cli.console import encode_class, say_class
from autograde.course import Course, Work
from autograde.grading.pool import OpenGraders
from autograde.notebooks.extract import Submission
from autograde.notebooks.submitted import read_submitted
from autograde.records.audit_log import read_stored_report
from autograde.records.grade_class import ClassResult, grade_class
from autograde.report import CellRun, Report, broken_report
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, submit

STUDENTS = [f"s{number}" for number in range(5)]


PRINTED = [CellRun(cell="scale", outputs=[{"output_type": "stream", "text": "x" * 10_000}])]


@dataclass
class ReadAhead:
    """Grades with full marks, and notes how much of the class had been read before each report."""

    read: list[str] = field(default_factory=list)
    read_before_each: list[int] = field(default_factory=list)

    def report_of(self, student: str) -> Report:
        self.read_before_each.append(len(self.read))
        return make_report(student, cells=PRINTED)

    @property
    def graders(self) -> OpenGraders:
        return FakeGrader(self.report_of).open


@pytest.fixture
def ahead(released: Course, monkeypatch: pytest.MonkeyPatch) -> ReadAhead:
    """The class has submitted."""
    ahead = ReadAhead()

    def noted(work: Work, student: str) -> Submission:
        ahead.read.append(student)
        return read_submitted(work, student)

    monkeypatch.chdir(released.root)
    monkeypatch.setattr("autograde.records.grade_class.read_submitted", noted)
    for student in STUDENTS:
        submit(released, student)
    return ahead


def test_grade_class_streams_submissions_and_reports(released: Course, ahead: ReadAhead) -> None:
    """A class is neither read nor kept in memory all at once."""
    result = grade_class(released.open(SLUG), graders=ahead.graders)
    assert ahead.read_before_each == [1, 2, 3, 4, 5]
    assert result.errors == {}
    assert all(report.cells == [] for report in result.reports.values())
    stored = read_stored_report(released.open(SLUG).paths.report("s0"))
    assert stored
    assert stored.cells


def test_grade_class_counts_only_students_with_a_grade(capsys: pytest.CaptureFixture[str]) -> None:
    withheld = broken_report(SLUG, "bob", "the grader's process died")  # no points of none, which would be full marks
    result = ClassResult({"ada": make_report("ada"), "bob": withheld}, {"bob": "a check is broken (our fault)"})
    assert encode_class(SLUG, result)["graded"] == {"ada": {"score": 4.0, "max_score": 4.0}}
    say_class("Scale", result)
    shown = capsys.readouterr()
    assert "1 graded, 1 with full marks, 1 not graded" in shown.out
    assert "bob" not in shown.out
    assert "bob: not graded: a check is broken" in shown.err


def test_grade_class_grades_a_student_named_twice_once(released: Course, ahead: ReadAhead) -> None:
    assert grade_class(released.open(SLUG), ["s1", "s1"], graders=ahead.graders).reports.keys() == {"s1"}
    assert ahead.read_before_each == [1]


def test_grade_class_vanished_file_is_an_error_of_one_student(released: Course, ahead: ReadAhead) -> None:
    def told(done: int, total: int) -> None:
        assert total == len(STUDENTS)
        (released.open(SLUG).paths.submitted("s4") / f"{SLUG}.ipynb").unlink(missing_ok=True)

    result = grade_class(released.open(SLUG), graders=ahead.graders, on_progress=told)
    assert result.errors == {"s4": f"No file {SLUG}.ipynb was handed in."}
    assert result.reports.keys() == set(STUDENTS) - {"s4"}

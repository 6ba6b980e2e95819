"""A class is graded whatever its size: read as graders become free, kept without what its cells put out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from autograde.cli.console import class_data, say_class
from autograde.course import Course, Work
from autograde.grading.digests import digest_of
from autograde.notebooks.extract import Submission
from autograde.notebooks.submitted import submission_of
from autograde.records.audit_log import stored_report
from autograde.records.grade_class import ClassResult, grade_class
from autograde.report import CellRun, Report, broken
from autograde.tests.tiny_course import SLUG, a_report, submit

STUDENTS = [f"s{number}" for number in range(5)]


class FullMarks:
    """Graders that give full marks, and note what had been read of the class before each report."""

    confinement = None

    def __init__(self, read: list[str]) -> None:
        self.read = read
        self.read_before_each: list[int] = []

    def __call__(self, work: Work, jobs: int, device: str) -> FullMarks:
        self.work = work
        return self

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        for submission in submissions:
            self.read_before_each.append(len(self.read))
            cells = [CellRun(cell="scale", outputs=[{"output_type": "stream", "text": "x" * 10_000}])]
            yield a_report(submission.student, digest=digest_of(self.work, submission.fingerprint), cells=cells)

    def __enter__(self) -> FullMarks:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
def graders(released: Course, monkeypatch: pytest.MonkeyPatch) -> FullMarks:
    """The class has submitted."""
    read: list[str] = []

    def noted(work: Work, student: str) -> Submission:
        read.append(student)
        return submission_of(work, student)

    monkeypatch.chdir(released.root)
    monkeypatch.setattr("autograde.records.grade_class.submission_of", noted)
    for student in STUDENTS:
        submit(released, student)
    return FullMarks(read)


def test_grade_class_streams_submissions_and_reports(released: Course, graders: FullMarks) -> None:
    """A class is neither read nor kept in memory all at once."""
    result = grade_class(released.open(SLUG), graders=graders)
    assert graders.read_before_each == [1, 2, 3, 4, 5]
    assert result.errors == {}
    assert all(report.cells == [] for report in result.reports.values())
    stored = stored_report(released.open(SLUG).paths.report("s0"))
    assert stored
    assert stored.cells


def test_grade_class_counts_only_students_with_a_grade(capsys: pytest.CaptureFixture[str]) -> None:
    withheld = broken(SLUG, "bob", "the grader's process died")  # no points of none, which would be full marks
    result = ClassResult({"ada": a_report("ada"), "bob": withheld}, {"bob": "a check is broken (our fault)"})
    assert class_data(SLUG, result)["graded"] == {"ada": {"score": 4.0, "max_score": 4.0}}
    say_class("Scale", result)
    shown = capsys.readouterr()
    assert "1 graded, 1 with full marks, 1 not graded" in shown.out
    assert "bob" not in shown.out
    assert "bob: not graded: a check is broken" in shown.err


def test_grade_class_grades_a_student_named_twice_once(released: Course, graders: FullMarks) -> None:
    assert grade_class(released.open(SLUG), ["s1", "s1"], graders=graders).reports.keys() == {"s1"}
    assert graders.read_before_each == [1]


def test_grade_class_skips_unchanged_work(released: Course, graders: FullMarks) -> None:
    grade_class(released.open(SLUG), graders=graders)
    submit(released, "s3", released.open(SLUG).paths.released_notebook.read_bytes() + b"\n")
    again = grade_class(released.open(SLUG), graders=graders)
    assert again.reports.keys() == set(STUDENTS)
    assert len(graders.read_before_each) == len(STUDENTS) + 1


def test_grade_class_vanished_file_is_an_error_of_one_student(released: Course, graders: FullMarks) -> None:
    def told(done: int, total: int) -> None:
        assert total == len(STUDENTS)
        (released.open(SLUG).paths.submitted("s4") / f"{SLUG}.ipynb").unlink(missing_ok=True)

    result = grade_class(released.open(SLUG), graders=graders, on_progress=told)
    assert result.errors == {"s4": f"No file {SLUG}.ipynb was handed in."}
    assert result.reports.keys() == set(STUDENTS) - {"s4"}

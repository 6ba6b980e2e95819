"""A grader that runs nothing: it returns prepared reports, and records which students were graded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from autograde.course import Work
from autograde.grading.digests import compute_digest
from autograde.notebooks.extract import Submission
from autograde.report import Report
from autograde.tests.report_builders import make_report


class FakeGrader:
    """Grades with the report in `reports`, else with what `report_of` returns for the student: by default full marks.

    Pass `open` as the graders of `grade_class`.
    """

    def __init__(self, report_of: Callable[[str], Report] = make_report) -> None:
        self.report_of = report_of
        self.reports: dict[str, Report] = {}
        self.graded: list[str] = []

    def grade_one(self, work: Work, submission: Submission) -> Report:
        """A report whose digest is that of the submission, as if it had been graded."""
        student = submission.student
        self.graded.append(student)
        report = self.reports[student] if student in self.reports else self.report_of(student)
        return msgspec.structs.replace(report, student=student, digest=compute_digest(work, submission.fingerprint))

    def open(self, work: Work, jobs: int, device: str) -> FakePool:
        return FakePool(self, work)


class FakePool:
    """The graders that `FakeGrader.open` opens."""

    confinement = None  # no submission runs

    def __init__(self, grader: FakeGrader, work: Work) -> None:
        self.grader, self.work = grader, work

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        for submission in submissions:
            yield self.grader.grade_one(self.work, submission)

    def __enter__(self) -> FakePool:
        return self

    def __exit__(self, *_: object) -> None:
        """There are no processes to end."""


@pytest.fixture
def fake_grader(monkeypatch: pytest.MonkeyPatch) -> FakeGrader:
    """Grades for the plug-ins, which nbgrader itself creates, so that no grader can be passed to them."""
    grader = FakeGrader()
    monkeypatch.setattr("autograde.grading.pool_cache.grade_one", grader.grade_one)
    return grader

"""Grades what a class handed in: reads, runs in parallel, writes reports, then the gradebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from autograde.course import CourseError, Work
from autograde.disk import NoRoomError, check_room
from autograde.grading.digests import Version, checks_digest, digest_of, version_of
from autograde.grading.pool import GraderPool, OnProgress, OpenGraders, default_jobs
from autograde.notebooks.extract import Submission, SubmissionError
from autograde.notebooks.submitted import students_submitted, submission_of
from autograde.records.audit_log import keep, stored_report
from autograde.records.database import check_gradebook
from autograde.records.gradebook import record
from autograde.report import ConfinementLevel, Outcome, Report

ROOM_BYTES, ROOM_EACH_BYTES = 4 << 20, 200 << 10
"""free space that a run asks for: for the gradebook's journal, and for each submission's report and notebook"""


@dataclass
class ClassResult:
    """Reports by student, without the cells' outputs, and why some have none."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    confinement: ConfinementLevel | None = None
    """what confined the submissions that were run now; None if none was, or if each was confined in its own way"""

    @property
    def graded(self) -> dict[str, Report]:
        """The reports that a grade was taken from: of a withheld one nothing is recorded."""
        return {student: report for student, report in self.reports.items() if student not in self.errors}


def grade_class(
    work: Work,
    students: Iterable[str] | None = None,
    *,
    jobs: int | None = None,
    device: str | None = None,
    force: bool = False,
    on_progress: OnProgress | None = None,
    graders: OpenGraders = GraderPool,
    announced: Callable[[ConfinementLevel | None], object] | None = None,
) -> ClassResult:
    """Grade `students` (default: all who submitted). What has not changed since its report is not run again.

    `announced` is told what confines the submissions before the first one runs.
    """
    submitted = students_submitted(work)
    chosen = list(dict.fromkeys(students)) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {work.course.root / 'submitted'}/<student>/{work.slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {work.paths.submitted(unknown[0])}")
    check_gradebook(work)
    run = _Run(work)
    stale = [student for student in chosen if force or not run.settled(student)]
    _check_room(work, stale, len(chosen))
    if stale:
        jobs = min(jobs or default_jobs(), len(stale))
        with graders(work, jobs, device or work.course.device) as pool:
            run.result.confinement = pool.confinement
            if announced:
                announced(pool.confinement)
            for number, report in enumerate(pool.grade(run.read(stale)), start=1):
                if on_progress:
                    on_progress(number, len(stale))
                run.store(report)
    run.result.errors |= record(work, list(run.result.graded))
    return run.result


class _Run:
    """One run over a class: what was read of it, with which version, and what came of it."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.checks = checks_digest(work)
        self.versions: dict[str, Version] = {}
        self.result = ClassResult()

    def settled(self, student: str) -> bool:
        """Is nothing to run: is the report on disk of these very bytes, tests and policies, or is no file there?"""
        try:
            submission = submission_of(self.work, student)
        except SubmissionError as error:
            self.result.errors[student] = str(error)
            return True
        report = stored_report(self.work.paths.report(student))
        if report is None or report.digest != digest_of(self.work, submission, self.checks):
            return False
        self.result.reports[student] = _without_outputs(report)
        return True

    def read(self, students: Iterable[str]) -> Iterator[Submission]:
        """Submissions one by one, when a grader is free for them: a large class does not fit into memory."""
        for student in students:
            try:
                submission = submission_of(self.work, student)
            except SubmissionError as error:
                self.result.errors[student] = str(error)
                continue
            self.versions[student] = version_of(self.work, submission, self.checks)
            yield submission

    def store(self, report: Report) -> None:
        """Log and write a report, and remember it without what its cells put out."""
        self.result.reports[report.student] = _without_outputs(report)
        keep(self.work, report, self.versions.pop(report.student))
        if report.withheld:
            broken = next(verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN)
            self.result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"


def _check_room(work: Work, stale: list[str], count: int) -> None:
    """CourseError, before anything is written, if what a run writes would not find room."""
    handed_in = (work.paths.submitted(student) for student in stale)
    sizes = sum(file.lstat().st_size for folder in handed_in for file in folder.glob(f"{work.slug}.*"))
    folders = (work.course.root, work.paths.reports, work.course.root / "autograded", work.course.stage.parent)
    try:
        check_room(folders, ROOM_BYTES + count * ROOM_EACH_BYTES + 4 * sizes)
    except NoRoomError as error:
        raise CourseError(str(error)) from error


def _without_outputs(report: Report) -> Report:
    """What a class result keeps of a report; the rest is on disk."""
    return msgspec.structs.replace(report, cells=[])

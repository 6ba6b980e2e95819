"""Grades what a class handed in: reads, runs in parallel, writes reports, then the gradebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from autograde.course import Course, CourseError
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
    course: Course,
    slug: str,
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
    course.assignment(slug)
    submitted = students_submitted(course, slug)
    chosen = list(dict.fromkeys(students)) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {course.root / 'submitted'}/<student>/{slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {course.paths(slug).submitted(unknown[0])}")
    check_gradebook(course, slug)
    run = _Run(course, slug)
    stale = [student for student in chosen if force or not run.settled(student)]
    _check_room(course, slug, stale, len(chosen))
    if stale:
        jobs = min(jobs or default_jobs(), len(stale))
        with graders(course, slug, jobs, device or course.device) as pool:
            run.result.confinement = pool.confinement
            if announced:
                announced(pool.confinement)
            for number, report in enumerate(pool.grade(run.read(stale)), start=1):
                if on_progress:
                    on_progress(number, len(stale))
                run.store(report)
    run.result.errors |= record(course, slug, list(run.result.graded))
    return run.result


class _Run:
    """One run over a class: what was read of it, with which version, and what came of it."""

    def __init__(self, course: Course, slug: str) -> None:
        self.course, self.slug = course, slug
        self.checks = checks_digest(course, slug)
        self.versions: dict[str, Version] = {}
        self.result = ClassResult()

    def settled(self, student: str) -> bool:
        """Is nothing to run: is the report on disk of these very bytes, tests and policies, or is no file there?"""
        try:
            submission = submission_of(self.course, self.slug, student)
        except SubmissionError as error:
            self.result.errors[student] = str(error)
            return True
        report = stored_report(self.course.paths(self.slug).report(student))
        if report is None or report.digest != digest_of(self.course, submission, self.checks):
            return False
        self.result.reports[student] = _without_outputs(report)
        return True

    def read(self, students: Iterable[str]) -> Iterator[Submission]:
        """Submissions one by one, when a grader is free for them: a large class does not fit into memory."""
        for student in students:
            try:
                submission = submission_of(self.course, self.slug, student)
            except SubmissionError as error:
                self.result.errors[student] = str(error)
                continue
            self.versions[student] = version_of(self.course, submission, self.checks)
            yield submission

    def store(self, report: Report) -> None:
        """Log and write a report, and remember it without what its cells put out."""
        self.result.reports[report.student] = _without_outputs(report)
        keep(self.course, report, self.versions.pop(report.student))
        if report.withheld:
            broken = next(verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN)
            self.result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"


def _check_room(course: Course, slug: str, stale: list[str], count: int) -> None:
    """CourseError, before anything is written, if what a run writes would not find room."""
    handed_in = (course.paths(slug).submitted(student) for student in stale)
    sizes = sum(file.lstat().st_size for folder in handed_in for file in folder.glob(f"{slug}.*"))
    folders = (course.root, course.paths(slug).reports, course.root / "autograded", course.stage.parent)
    try:
        check_room(folders, ROOM_BYTES + count * ROOM_EACH_BYTES + 4 * sizes)
    except NoRoomError as error:
        raise CourseError(str(error)) from error


def _without_outputs(report: Report) -> Report:
    """What a class result keeps of a report; the rest is on disk."""
    return msgspec.structs.replace(report, cells=[])

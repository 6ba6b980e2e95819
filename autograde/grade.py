"""Grades what a class handed in: reads, runs in parallel, writes reports, then the gradebook."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from autograde.course import Course, CourseError
from autograde.database import check_gradebook
from autograde.disk import NoRoomError, check_room
from autograde.extract import Submission, SubmissionError
from autograde.gradebook import record
from autograde.grading import checks_digest, digest_of
from autograde.journal import keep, stored_report
from autograde.pool import GraderPool, OpenGraders, Told, default_jobs
from autograde.report import Report
from autograde.submitted import students_submitted, submission_of

ROOM_BYTES, ROOM_EACH_BYTES = 4 << 20, 200 << 10
"""free space that a run asks for: for the gradebook's journal, and for each submission's report and notebook"""


@dataclass
class ClassResult:
    """Reports by student, and why some have none."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    confinement: str = ""
    """what held the submissions that were run now; empty if none was"""


def grade_class(
    course: Course,
    slug: str,
    students: Iterable[str] | None = None,
    *,
    jobs: int | None = None,
    device: str | None = None,
    force: bool = False,
    told: Told | None = None,
    graders: OpenGraders = GraderPool,
    announced: Callable[[str], object] | None = None,
) -> ClassResult:
    """Grade `students` (default: all who submitted). What has not changed since its report is not run again.

    `announced` is told what confines the submissions before the first one runs.
    """
    course.assignment(slug)
    submitted = students_submitted(course, slug)
    chosen = list(students) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {course.root / 'submitted'}/<student>/{slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {course.paths(slug).submitted(unknown[0])}")
    check_gradebook(course, slug)
    result = ClassResult()
    waiting, checks = [], checks_digest(course, slug)
    for student in chosen:
        try:
            submission = submission_of(course, slug, student)
        except SubmissionError as error:
            result.errors[student] = str(error)
            continue
        report = None if force else _fresh(course, submission, checks)
        if report is None:
            waiting.append(submission)
        else:
            result.reports[student] = report
    _check_room(course, slug, waiting, len(chosen))
    if waiting:
        jobs = min(jobs or default_jobs(), len(waiting))
        _run(course, slug, waiting, jobs, device or course.device, result, told, graders, announced)
    graded = [student for student, report in result.reports.items() if not report.withheld]
    result.errors |= record(course, slug, graded)
    return result


def _check_room(course: Course, slug: str, waiting: list[Submission], count: int) -> None:
    """CourseError, before anything is written, if what a run writes would not find room."""
    sizes = sum(len(source) for submission in waiting for _, source in submission.cells)
    folders = (course.root, course.paths(slug).reports, course.root / "autograded", course.stage.parent)
    try:
        check_room(folders, ROOM_BYTES + count * ROOM_EACH_BYTES + 4 * sizes)
    except NoRoomError as error:
        raise CourseError(str(error)) from error


def _fresh(course: Course, submission: Submission, checks: str) -> Report | None:
    """The report on disk, if it is of these very bytes, tests (by their digest) and policies."""
    report = stored_report(course.paths(submission.slug).report(submission.student))
    return report if report and report.digest == digest_of(course, submission, checks) else None


def _run(
    course: Course,
    slug: str,
    waiting: list[Submission],
    jobs: int,
    device: str,
    result: ClassResult,
    told: Told | None,
    graders: OpenGraders,
    announced: Callable[[str], object] | None,
) -> None:
    submissions = {submission.student: submission for submission in waiting}
    with graders(course, slug, jobs, device) as pool:
        result.confinement = pool.confinement
        if announced:
            announced(pool.confinement)
        for number, report in enumerate(pool.grade(waiting), start=1):
            if told:
                told(number, len(waiting))
            result.reports[report.student] = report
            keep(course, submissions[report.student], report)
            if report.withheld:
                broken = next(verdict for verdict in report.verdicts if verdict.outcome.value == "broken")
                result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"

"""Grades what a class handed in: reads, runs in parallel, writes reports, then the gradebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from autograde.course import Course, CourseError
from autograde.database import check_gradebook
from autograde.extract import Submission, SubmissionError
from autograde.gradebook import record
from autograde.grading import Version, checks_digest, digest_of, version_of
from autograde.journal import keep, stored_report
from autograde.pool import GraderPool, OpenGraders, Told, default_jobs
from autograde.report import Report
from autograde.submitted import students_submitted, submission_of


@dataclass
class ClassResult:
    """Reports by student, without the cells' outputs, and why some have none."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


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
) -> ClassResult:
    """Grade `students` (default: all who submitted). What has not changed since its report is not run again."""
    course.assignment(slug)
    submitted = students_submitted(course, slug)
    chosen = list(students) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {course.root / 'submitted'}/<student>/{slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {course.paths(slug).submitted(unknown[0])}")
    check_gradebook(course, slug)
    result = ClassResult()
    checks = checks_digest(course, slug)
    stale = [student for student in chosen if force or not _settled(course, slug, student, checks, result)]
    if stale:
        jobs = min(jobs or default_jobs(), len(stale))
        _run(course, slug, stale, checks, jobs, device or course.device, result, told, graders)
    graded = [student for student, report in result.reports.items() if not report.withheld]
    result.errors |= record(course, slug, graded)
    return result


def _settled(course: Course, slug: str, student: str, checks: str, result: ClassResult) -> bool:
    """Whether nothing is to run: the report on disk is of these very bytes, tests and policies, or no file is there."""
    try:
        submission = submission_of(course, slug, student)
    except SubmissionError as error:
        result.errors[student] = str(error)
        return True
    report = stored_report(course.paths(slug).report(student))
    if report is None or report.digest != digest_of(course, submission, checks):
        return False
    result.reports[student] = _without_outputs(report)
    return True


def _run(
    course: Course,
    slug: str,
    students: list[str],
    checks: str,
    jobs: int,
    device: str,
    result: ClassResult,
    told: Told | None,
    graders: OpenGraders,
) -> None:
    versions: dict[str, Version] = {}
    with graders(course, slug, jobs, device) as pool:
        submissions = _read(course, slug, students, checks, versions, result)
        for number, report in enumerate(pool.grade(submissions), start=1):
            if told:
                told(number, len(students))
            result.reports[report.student] = _without_outputs(report)
            keep(course, report, versions.pop(report.student))
            if report.withheld:
                broken = next(verdict for verdict in report.verdicts if verdict.outcome.value == "broken")
                result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"


def _read(
    course: Course, slug: str, students: list[str], checks: str, versions: dict[str, Version], result: ClassResult
) -> Iterator[Submission]:
    """Submissions one by one, when a grader is free for them: a large class does not fit into memory."""
    for student in students:
        try:
            submission = submission_of(course, slug, student)
        except SubmissionError as error:
            result.errors[student] = str(error)
            continue
        versions[student] = version_of(course, submission, checks)
        yield submission


def _without_outputs(report: Report) -> Report:
    """What a class result keeps of a report; the rest is on disk."""
    return msgspec.structs.replace(report, cells=[])

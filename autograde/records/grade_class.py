"""Grades what a class submitted: in parallel, with each report written and recorded as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from autograde.course import CourseError, Work
from autograde.disk import NoRoomError, check_room
from autograde.grading.digests import checks_digest, digest_of, version_of
from autograde.grading.pool import GraderPool, OnProgress, OpenGraders, default_jobs
from autograde.notebooks.extract import Submission, SubmissionError
from autograde.notebooks.submitted import fingerprint_of, students_submitted, submission_of
from autograde.records.audit_log import keep, stored_report
from autograde.records.database import check_gradebook
from autograde.records.gradebook import Recorder, open_recorder, record
from autograde.report import ConfinementLevel, Outcome, Report

ROOM_BYTES, ROOM_EACH_BYTES = 4 << 20, 200 << 10
"""free space that a run asks for: for the gradebook's journal, and for each submission's report and notebook"""

OnConfinement = Callable[[ConfinementLevel | None], object]


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
    on_confinement: OnConfinement = lambda level: None,
) -> ClassResult:
    """Grade `students` (default: all who submitted). What has not changed since its report is not run again.

    `on_confinement` gets what confines the submissions, before the first one runs.
    """
    submitted = students_submitted(work)
    chosen = list(dict.fromkeys(students)) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {work.course.root / 'submitted'}/<student>/{work.slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {work.paths.submitted(unknown[0])}")
    check_gradebook(work)
    run = _Run(work, on_progress)
    stale = [student for student in chosen if force or not run.is_settled(student)]
    _check_space(work, stale, len(chosen))
    run.grade(stale, graders, min(jobs or default_jobs(), len(stale)), device or work.course.device, on_confinement)
    if unrecorded := [student for student in run.result.graded if student not in run.recorded]:
        run.result.errors |= record(work, unrecorded)
    return run.result


class _Run:
    """One run over a class. A submission is parsed once, when a grader is free for it, and kept until it is recorded:
    a large class does not fit into memory, and what is recorded must be what was graded."""

    def __init__(self, work: Work, on_progress: OnProgress | None) -> None:
        self.work, self.on_progress = work, on_progress
        self.checks = checks_digest(work)
        self.in_grading: dict[str, Submission] = {}
        self.result = ClassResult()
        self.unreadable: set[str] = set()
        self.gradebook_failed = False
        self.recorded: set[str] = set()
        """whom the gradebook has dealt with in this run"""

    def is_settled(self, student: str) -> bool:
        """Is there nothing to run: is the report of these very bytes, release, tests and policies, or is no file there?

        Nothing is parsed for that.
        """
        try:
            fingerprint = fingerprint_of(self.work, student)
        except SubmissionError as error:
            self.result.errors[student] = str(error)
            return True
        report = stored_report(self.work.paths.report(student))
        if report is None or report.digest != digest_of(self.work, fingerprint, self.checks):
            return False
        self.result.reports[student] = _without_outputs(report)
        return True

    def grade(
        self, students: Sequence[str], graders: OpenGraders, jobs: int, device: str, on_confinement: OnConfinement
    ) -> None:
        """Grade and record the students, one after the other; starts no graders if no submission can be read."""
        submissions = self._read(students)
        first = next(submissions, None)
        if first is None:
            return
        with graders(self.work, jobs, device) as pool:
            self.result.confinement = pool.confinement
            on_confinement(pool.confinement)
            with open_recorder(self.work) as recorder:
                for done, report in enumerate(pool.grade(chain([first], submissions)), start=1):
                    if self.on_progress:
                        self.on_progress(done + len(self.unreadable), len(students))
                    self._store(report, recorder)
            self.result.errors |= recorder.errors

    def _read(self, students: Iterable[str]) -> Iterator[Submission]:
        for student in students:
            try:
                submission = submission_of(self.work, student)
            except SubmissionError as error:
                self.unreadable.add(student)
                self.result.errors[student] = str(error)
                continue
            self.in_grading[student] = submission
            yield submission

    def _store(self, report: Report, recorder: Recorder) -> None:
        """Log, write and record a report, and remember it without what its cells put out."""
        submission = self.in_grading.pop(report.student)
        self.result.reports[report.student] = _without_outputs(report)
        keep(self.work, report, version_of(self.work, submission.fingerprint, self.checks))
        if report.withheld:
            broken = next(verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN)
            self.result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"
        elif not self.gradebook_failed:
            try:
                recorder.record(report.student, (submission, report))
                self.recorded.add(report.student)
            except CourseError:  # grading goes on; who is not recorded is tried again at the end, which says why
                self.gradebook_failed = True


def _check_space(work: Work, stale: list[str], count: int) -> None:
    """CourseError, before anything is written, if what a run writes would not find room."""
    submitted = (work.paths.submitted(student) for student in stale)
    sizes = sum(file.lstat().st_size for folder in submitted for file in folder.glob(f"{work.slug}.*"))
    folders = (work.course.root, work.paths.reports, work.course.root / "autograded", work.course.stage.parent)
    try:
        check_room(folders, ROOM_BYTES + count * ROOM_EACH_BYTES + 4 * sizes)
    except NoRoomError as error:
        raise CourseError(str(error)) from error


def _without_outputs(report: Report) -> Report:
    """What a class result keeps of a report; the rest is on disk."""
    return msgspec.structs.replace(report, cells=[])

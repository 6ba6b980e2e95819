"""Grades the submissions of a class in parallel, and writes and records each report as soon as it is ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec

from autograde.course import CourseError, Work
from autograde.disk import NotWritableError, check_free_space
from autograde.grading.digests import compute_digest, compute_version, hash_checks
from autograde.grading.pool import GraderPool, OnProgress, OpenGraders, count_cores
from autograde.notebooks.extract import Submission, SubmissionError
from autograde.notebooks.submitted import list_submitters, read_fingerprint, read_submitted
from autograde.records.audit_log import read_stored_report, store_report
from autograde.records.database import check_gradebook
from autograde.records.gradebook import Recorder, open_recorder, record
from autograde.report import ConfinementLevel, Outcome, Report

SPACE_BYTES, SPACE_EACH_BYTES = 4 << 20, 200 << 10
"""free space that a run needs: for the gradebook's journal, and for each submission's report and notebook"""

OnConfinement = Callable[[ConfinementLevel | None], object]


@dataclass
class ClassResult:
    """Reports by student, without the cells' outputs, and the reasons why some students have none."""

    reports: dict[str, Report] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    confinement: ConfinementLevel | None = None
    """how the submissions of this run were confined; None if none ran, or if it differed between them"""

    @property
    def graded(self) -> dict[str, Report]:
        """The reports that count as grades; nothing is recorded from a withheld report."""
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
    """Grade `students` (default: all who submitted). Submissions run again only if something has changed.

    `on_confinement` is called with the confinement level before the first submission runs.
    """
    submitted = list_submitters(work)
    chosen = list(dict.fromkeys(students)) if students is not None else submitted
    if not chosen:
        raise CourseError(f"no submissions in {work.course.root / 'submitted'}/<student>/{work.slug}/")
    if unknown := sorted(set(chosen) - set(submitted)):
        raise CourseError(f"no submission of {unknown[0]!r} in {work.paths.submitted(unknown[0])}")
    check_gradebook(work)
    run = _Run(work, on_progress)
    stale = [student for student in chosen if force or not run.is_settled(student)]
    _check_space(work, stale, len(chosen))
    run.grade(stale, graders, min(jobs or count_cores(), len(stale)), device or work.course.device, on_confinement)
    if unrecorded := [student for student in run.result.graded if student not in run.recorded]:
        run.result.errors |= record(work, unrecorded)
    return run.result


class _Run:
    """One run over a class. A submission is parsed once, when a grader is free for it, and stays in memory until it is
    recorded: a large class does not fit into memory, and the recorded notebook must be the graded one."""

    def __init__(self, work: Work, on_progress: OnProgress | None) -> None:
        self.work, self.on_progress = work, on_progress
        self.checks = hash_checks(work)
        self.in_grading: dict[str, Submission] = {}
        self.result = ClassResult()
        self.unreadable: set[str] = set()
        self.gradebook_failed = False
        self.recorded: set[str] = set()
        """students whom this run has recorded, or failed to record"""

    def is_settled(self, student: str) -> bool:
        """Whether nothing needs to run: the report is of these bytes, release, tests and policies, or there is no file.

        Does not parse the submission.
        """
        try:
            fingerprint = read_fingerprint(self.work, student)
        except SubmissionError as error:
            self.result.errors[student] = str(error)
            return True
        report = read_stored_report(self.work.paths.report(student))
        if report is None or report.digest != compute_digest(self.work, fingerprint, self.checks):
            return False
        self.result.reports[student] = _without_outputs(report)
        return True

    def grade(
        self, students: Sequence[str], graders: OpenGraders, jobs: int, device: str, on_confinement: OnConfinement
    ) -> None:
        """Grade the students and record each report; starts no graders if no submission can be read."""
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
                submission = read_submitted(self.work, student)
            except SubmissionError as error:
                self.unreadable.add(student)
                self.result.errors[student] = str(error)
                continue
            self.in_grading[student] = submission
            yield submission

    def _store(self, report: Report, recorder: Recorder) -> None:
        """Log, write and record a report, and keep it in the result without its cells' outputs."""
        submission = self.in_grading.pop(report.student)
        self.result.reports[report.student] = _without_outputs(report)
        store_report(self.work, report, compute_version(self.work, submission.fingerprint, self.checks))
        if report.withheld:
            broken = next(verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN)
            self.result.errors[report.student] = f"a check is broken (our fault): {broken.title}: {broken.reason}"
        elif not self.gradebook_failed:
            try:
                recorder.record(report.student, (submission, report))
                self.recorded.add(report.student)
            except CourseError:  # grading goes on; the end of the run tries again and reports the error
                self.gradebook_failed = True


def _check_space(work: Work, stale: list[str], count: int) -> None:
    """Raise CourseError, before anything is written, if the disk lacks the space for what a run writes."""
    submitted = (work.paths.submitted(student) for student in stale)
    sizes = sum(file.lstat().st_size for folder in submitted for file in folder.glob(f"{work.slug}.*"))
    folders = (work.course.root, work.paths.reports, work.course.root / "autograded", work.course.stage.parent)
    try:
        check_free_space(folders, SPACE_BYTES + count * SPACE_EACH_BYTES + 4 * sizes)
    except NotWritableError as error:
        raise CourseError(str(error)) from error


def _without_outputs(report: Report) -> Report:
    """The part of a report that a class result keeps; the rest is on disk."""
    return msgspec.structs.replace(report, cells=[])

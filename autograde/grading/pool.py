"""Grades many submissions of one assignment at once.

Graders are processes of their own, forked from a server that has torch and pytest imported; all share one warm process
for the submissions' workers. A grader that dies costs the submission it held a BROKEN report, never a grade.
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from autograde.course import Course, CourseError
from autograde.grading.versions import Options, checks_digest
from autograde.grading.warm import WarmProcess
from autograde.notebooks.extract import Submission
from autograde.report import ExerciseReport, Outcome, Report, Verdict

Busy = dict[Connection, Submission]
Order = tuple[Submission, Options]
Told = Callable[[int, int], object]
"""is told how many of how many are done"""


class GraderError(CourseError):
    """The grader itself failed; no submission is to blame and none is graded by it."""


class Graders(Protocol):
    """Whatever grades submissions of one assignment: processes of this machine, or a cluster's workers."""

    confinement: str
    """what holds the submissions, in words"""

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        """Reports in the order in which they are ready. GraderError if none can be graded."""

    def __enter__(self) -> Graders: ...

    def __exit__(self, *_: object) -> None: ...


OpenGraders = Callable[[Course, str, int, str], Graders]
"""opens graders for a course's assignment: how many processes, and on which device (auto, cpu or cuda)"""


class GraderPool:
    """Processes that grade submissions of one assignment. Close it, or use it as a context."""

    def __init__(
        self, course: Course, slug: str, jobs: int = 1, device: str = "cpu", *, strangers: bool = True
    ) -> None:
        """`strangers`: submissions are by people outside the course, so ConfinementError if nothing can hold them."""
        self.warm = WarmProcess(modules=_imports(course, slug))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["autograde.grading.grader"])
        self.graders: dict[Connection, Any] = {}
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            arguments = (theirs, str(course.root), slug, self.warm.control, device)
            process = context.Process(target=_grader, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.graders[ours] = process
        try:
            from autograde.grading.confinement import proven  # imports torch, while the processes above do so too

            self.warm.wait_until_ready()
            self.confinement = proven(self.warm, course, strangers=strangers)
        except BaseException:
            self.close()
            raise

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        """Reports in the order in which they are ready. GraderError if the hidden tests cannot be collected."""
        return self.run((submission, Options()) for submission in submissions)

    def run(self, orders: Iterable[Order]) -> Iterator[Report]:
        """`grade` with options of its own for each submission."""
        waiting = iter(orders)
        busy: Busy = {}
        for grader in list(self.graders):
            self._next(grader, waiting, busy)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                submission = busy.pop(ready)
                report = self._report(ready, submission)
                if ready in self.graders:
                    self._next(ready, waiting, busy)
                yield report

    def _next(self, grader: Connection, waiting: Iterator[Order], busy: Busy) -> None:
        order = next(waiting, None)
        if order is not None:
            with contextlib.suppress(
                OSError
            ):  # a grader that is gone left its reason behind, or nothing: both are read next
                grader.send(order)
            busy[grader] = order[0]

    def _report(self, grader: Connection, submission: Submission) -> Report:
        try:
            answer = grader.recv()
        except (EOFError, OSError):
            del self.graders[grader]
            if not self.graders:
                raise GraderError(f"the graders died, the last one while grading {submission.student}") from None
            return broken(submission, "the grader's process died while grading this submission")
        if isinstance(answer, str):
            raise GraderError(answer)
        report: Report = answer
        report.environment["confinement"] = self.confinement
        return report

    def close(self) -> None:
        for grader, process in self.graders.items():
            grader.close()
            process.join(10)
            if process.is_alive():
                process.kill()
        self.warm.close()

    def __enter__(self) -> GraderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _grader(*arguments: Any) -> None:
    """Entry of a grader's process; imported only there, since this process needs neither pytest nor Hypothesis."""
    from autograde.grading.grader import grader_main

    grader_main(*arguments)


def broken(submission: Submission, reason: str) -> Report:
    """A report that is withheld: the fault is ours."""
    verdict = Verdict(check="grader", title="grading", outcome=Outcome.BROKEN, points=0, max_points=0, reason=reason)
    exercises = [ExerciseReport(exercise="grader", verdicts=[verdict])]
    return Report(assignment=submission.slug, student=submission.student, digest="", exercises=exercises)


_pools: dict[tuple[Path, str, str, str], GraderPool] = {}


def grade_one(course: Course, submission: Submission, device: str | None = None) -> Report:
    """Grade one submission with a grader that is kept for the next one, while the hidden tests stay what they are."""
    device = device or course.device
    key = (course.root, submission.slug, checks_digest(course, submission.slug), device)
    if key not in _pools:
        _pools[key] = GraderPool(course, submission.slug, device=device)
        atexit.register(_pools[key].close)
    return next(iter(_pools[key].grade([submission])))


def _imports(course: Course, slug: str) -> tuple[str, ...]:
    """Modules that the notebook imports, so that the warm process imports them once for all."""
    words: set[str] = set()
    tree = ast.parse(course.paths(slug).source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            words |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            words.add(node.module)
    return tuple(sorted(words))


def default_jobs() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

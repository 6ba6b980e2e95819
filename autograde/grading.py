"""Grades submissions: collects the hidden tests once per process, then runs them again for every submission.

Graders are processes of their own, forked from a server that has torch and pytest imported; all share one warm process
for the submissions' workers. A grader that dies costs the submission it held a BROKEN report, never a grade.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from autograde.confinement import proven
from autograde.course import Course, CourseError
from autograde.extract import Submission, from_notebook, read_submission
from autograde.release import assemble, draft
from autograde.report import CellRun, ExerciseReport, Outcome, Report, Verdict
from autograde.sandbox import RunningSubmission
from autograde.warm import WarmProcess

Busy = dict[Connection, Submission]
ENGINE = Path(__file__).parent
MAX_LEFT_OUT = 2
"""cells that may end the notebook's process before it is given up"""


class GraderError(CourseError):
    """The grader itself failed; no submission is to blame and none is graded by it."""


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """run checks that would wait, as `course verify` does to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    fool: str = ""
    """put a foolish answer in the place of every right one; the name of one of `verify`'s fools"""


def digest_of(course: Course, submission: Submission) -> str:
    """Of everything that a report depends on: submission, tests, reference, engine and policies."""
    paths = course.paths(submission.slug)
    digest = hashlib.sha256(submission.sha256.encode())
    files = [*paths.hidden_tests.glob("*.py"), *(course.root / "reference_impl").glob("*.py"), *ENGINE.rglob("*.py")]
    for file in sorted(file for file in files if "tests" not in file.relative_to(file.anchor).parts[-2:-1]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    policies = (course.seed, course.reveal, course.limits_of(submission.slug), course.device)
    digest.update(repr(policies).encode() + repr(submission.cells).encode())
    return digest.hexdigest()


def submission_for(course: Course, slug: str, file: str | None = None) -> Submission:
    """`file` as a submission, or the instructor's own solution."""
    released = released_notebook(course, slug)
    if file is None:
        return from_notebook(assemble(course, slug, {}), released, "instructor", slug)
    return read_submission(Path(file), released, Path(file).stem, slug, course.limits_of(slug).notebook_bytes)


def released_notebook(course: Course, slug: str) -> Path:
    """The released notebook, or a draft of it while the assignment has not been released."""
    released = course.paths(slug).released_notebook
    return released if released.exists() else draft(course, slug)


def open_submission(
    course: Course, submission: Submission, warm: socket.socket, checks: int, device: str
) -> RunningSubmission:
    """Run the notebook in a worker that can then answer up to `checks` checks.

    A cell that ends the notebook's process is left out of a second run, so that it costs its own exercise alone.
    """
    data = tuple(course.root / "source" / "data" / name for name in course.assignment(submission.slug).data)
    limits, left_out = course.limits_of(submission.slug), dict[str, CellRun]()
    while True:
        cells = [cell for cell in submission.cells if cell[0] not in left_out]
        running = RunningSubmission(
            warm, cells, limits=limits, checks=checks, data=data, device=device, seed=course.seed
        )
        if running.fatal_cell and len(left_out) < MAX_LEFT_OUT:
            running.close()
            left_out[running.fatal_cell] = _left_out(
                running.fatal_cell, f"{running.problem}; run again without this cell"
            )
        else:
            ran = {run.cell: run for run in running.cells} | left_out
            running.cells = [ran[name] for name, _ in submission.cells if name in ran]
            return running


def _left_out(cell: str, error: str) -> CellRun:
    """The account of a cell that ended the notebook's process, with the reason where its output would be."""
    return CellRun(cell=cell, error=error, outputs=[{"output_type": "stream", "name": "stderr", "text": error}])


def choose_device(course: Course, wanted: str | None = None) -> str:
    """cpu or cuda, from the command line, else the course, else what the machine has."""
    device = wanted or course.device
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


Order = tuple[Submission, Options]
Told = Callable[[int, int], object]
"""is told how many of how many are done"""


class GraderPool:
    """Processes that grade submissions of one assignment. Close it, or use it as a context."""

    def __init__(
        self, course: Course, slug: str, jobs: int = 1, device: str = "cpu", *, strangers: bool = True
    ) -> None:
        """`strangers`: submissions are by people outside the course, so ConfinementError if nothing can hold them."""
        self.warm = WarmProcess(modules=_imports(course, slug))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["autograde.collect"])
        self.graders: dict[Connection, Any] = {}
        for _ in range(jobs):
            ours, theirs = context.Pipe()
            from autograde.collect import grader_main

            arguments = (theirs, str(course.root), slug, self.warm.control, device)
            process = context.Process(target=grader_main, args=arguments, daemon=True)
            process.start()
            theirs.close()
            self.graders[ours] = process
        try:
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


def broken(submission: Submission, reason: str) -> Report:
    """A report that is withheld: the fault is ours."""
    verdict = Verdict(check="grader", title="grading", outcome=Outcome.BROKEN, points=0, max_points=0, reason=reason)
    exercises = [ExerciseReport(exercise="grader", verdicts=[verdict])]
    return Report(assignment=submission.slug, student=submission.student, digest="", exercises=exercises)


_pools: dict[tuple[Path, str], GraderPool] = {}


def grade_one(course: Course, submission: Submission) -> Report:
    """Grade one submission with a grader that is kept for the next one."""
    key = (course.root, submission.slug)
    if key not in _pools:
        _pools[key] = GraderPool(course, submission.slug, device=choose_device(course))
        atexit.register(_pools[key].close)
    return next(iter(_pools[key].grade([submission])))


def _imports(course: Course, slug: str) -> tuple[str, ...]:
    """Modules that the notebook imports, so that the warm process imports them once for all."""
    import ast

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

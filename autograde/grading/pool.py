"""Grades many submissions of one assignment in parallel.

The first grader is forked from a server that has imported torch and pytest; the others are forks of the first grader,
made after it has read the tests. All share one zygote for the submissions' workers. If a grader dies, the submission
that it was grading gets a BROKEN report and keeps its earlier grade, and another grader replaces it.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from autograde.course import Course, CourseError, Work
from autograde.isolation.preimports import list_check_modules, list_zygote_modules
from autograde.isolation.zygote_client import ReadyZygote, WardenLostError, Zygote, ZygoteError
from autograde.report import ConfinementLevel, Report, broken_report

if TYPE_CHECKING:  # this module only starts processes; few imports let it start them early
    from autograde.grading.options import Options
    from autograde.notebooks.extract import Submission
    from autograde.testing.separation import Separation

    Busy = dict[Connection, Submission]
    Order = tuple[Submission, Options]

GRADER = ("autograde.grading.pause_gc", "autograde.grading.grader", "IPython.core.inputtransformer2", "numpy.random")
MOST_DEATHS = 3
"""graders that may die in a row without a report; if more die, the cause is not one submission"""
OnProgress = Callable[[int, int], object]
"""called with the number of submissions that are done and the total"""


class GraderError(CourseError):
    """The grader itself failed, not a submission, and graded none."""


class Graders(Protocol):
    """Grades submissions of one assignment, with processes on this machine or with the workers of a cluster."""

    @property
    def confinement(self) -> ConfinementLevel | None:
        """How submissions are confined; None if it differs between them. Raises ConfinementError if too weak."""

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        """Yield reports as they become ready. Raises GraderError if no submission can be graded."""

    def __enter__(self) -> Graders: ...

    def __exit__(self, *_: object) -> None: ...


OpenGraders = Callable[[Work, int, str], Graders]
"""opens graders for an assignment: how many processes, and on which device (auto, cpu or cuda)"""


class GraderPool:
    """Processes that grade submissions of one assignment. Close it, or use it as a context."""

    def __init__(self, work: Work, jobs: int = 1, device: str = "cpu", *, untrusted: bool = True) -> None:
        """Start the processes, without waiting for them.

        `untrusted`: the course's authors did not write the submissions; raise ConfinementError if unconfined.
        """
        self.work, self.jobs, self.device, self.untrusted = work, jobs, device, untrusted
        self.graders: dict[Connection, Any] = {}
        self.died_in_a_row = 0
        self.zygote = Zygote(modules=list_zygote_modules(work))
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(list(list_grader_modules(work)))
        forkserver.ensure_running()

    @cached_property
    def confinement(self) -> ConfinementLevel:
        """How submissions are confined, verified by probes before any submission runs."""
        self._start_graders(self.jobs)
        try:
            self.zygote.wait_until_ready()
        except ZygoteError as error:
            raise GraderError(f"{error}; run `course doctor`") from error
        ours, theirs = self.context.Pipe()
        ready = ReadyZygote(self.zygote.control, self.zygote.layers)
        self._start(_run_probes, [theirs], ready, self.work.course, self.untrusted)
        with ours:
            try:
                answer: ConfinementLevel | Exception = ours.recv()
            except EOFError:
                raise GraderError("the process that probes the confinement died; run `course doctor`") from None
        if isinstance(answer, (ZygoteError, WardenLostError)):
            raise GraderError(str(answer)) from answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self, entry: Callable[..., None], theirs: list[Connection], *arguments: Any) -> Any:
        process = self.context.Process(target=entry, args=(theirs, *arguments), daemon=True)
        process.start()
        for end in theirs:
            end.close()
        return process

    def _start_graders(self, count: int) -> Connection:
        """Start one process, whose forks are the other graders; returns the last connection to it."""
        pipes = [self.context.Pipe() for _ in range(count)]
        arguments = (self.work, self.zygote.control, self.device)
        process = self._start(_run_grader, [theirs for _, theirs in pipes], *arguments)
        self.graders |= {ours: process for ours, _ in pipes}
        return pipes[-1][0]

    def grade(self, submissions: Iterable[Submission]) -> Iterator[Report]:
        """Yield reports as they become ready. Raises GraderError if the hidden tests cannot be collected."""
        from autograde.grading.options import Options

        return self.run((submission, Options()) for submission in submissions)

    def run(self, orders: Iterable[Order]) -> Iterator[Report]:
        """Like `grade`, with separate options for each submission."""
        confinement = self.confinement
        waiting = iter(orders)
        busy: Busy = {}
        for grader in list(self.graders):
            self._send_next(grader, waiting, busy)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                submission = busy.pop(ready)
                report = self._receive_report(ready, submission, confinement)
                self._send_next(ready if ready in self.graders else self._start_graders(1), waiting, busy)
                yield report

    def list_misconceptions(self) -> dict[str, str]:
        """Name of each misconception that the hidden tests define -> the exercise whose checks recognise it.

        Raises GraderError if the hidden tests cannot be collected.
        """
        from autograde.grading.options import ListMisconceptions

        found: dict[str, str] = self._ask_one(ListMisconceptions())
        return found

    def find_separations(self, solution: Submission) -> dict[str, list[Separation]]:
        """For each exercise: which drawn example tells each misconception from the program nearest to it."""
        from autograde.grading.options import SeparateMisconceptions

        found: dict[str, list[Separation]] = self._ask_one(SeparateMisconceptions(solution))
        return found

    def _ask_one(self, question: object) -> Any:
        """The answer of one grader, while none is grading. Raises GraderError if it cannot collect the tests."""
        assert self.confinement  # which starts the graders
        grader = next(iter(self.graders))
        with contextlib.suppress(OSError):  # a grader that could not collect the tests has sent the reason
            grader.send(question)
        try:
            answer = grader.recv()
        except (EOFError, OSError):
            raise GraderError("the grader's process died while it read the hidden tests") from None
        if isinstance(answer, str):
            raise GraderError(answer)
        return answer

    def _send_next(self, grader: Connection, waiting: Iterator[Order], busy: Busy) -> None:
        order = next(waiting, None)
        if order is not None:
            # A grader that has ended sent its reason, or nothing; the next read handles both.
            with contextlib.suppress(OSError):
                grader.send(order)
            busy[grader] = order[0]

    def _receive_report(self, grader: Connection, submission: Submission, confinement: ConfinementLevel) -> Report:
        try:
            answer = grader.recv()
        except (EOFError, OSError):
            del self.graders[grader]
            self.died_in_a_row += 1
            if self.died_in_a_row > MOST_DEATHS:
                raise GraderError(
                    f"{self.died_in_a_row} graders died in a row, the last one while grading {submission.student}; "
                    f"try `course check` with its notebook"
                ) from None
            return broken_report(
                submission.slug, submission.student, "the grader's process died while grading this submission"
            )
        if isinstance(answer, str):
            raise GraderError(answer)
        self.died_in_a_row = 0
        report: Report = answer
        return msgspec.structs.replace(report, confinement=confinement)

    def close(self) -> None:
        for grader in self.graders:
            grader.close()
        for process in set(self.graders.values()):
            process.join(10)
            if process.is_alive():
                process.kill()
        self.zygote.close()

    def __enter__(self) -> GraderPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _run_grader(*arguments: Any) -> None:
    """Entry point of a grader. Imports `grader` here, because the pool itself needs neither pytest nor Hypothesis."""
    from autograde.grading.grader import run_grader

    gc.freeze()  # keeps the garbage collector from unsharing the memory that all graders share
    gc.enable()
    os.dup2(2, 1)  # output of a hidden test is for its author, not part of the command's output
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the grader needs no installed plug-in
    run_grader(*arguments)


def _run_probes(answers: list[Connection], zygote: ReadyZygote, course: Course, untrusted: bool) -> None:
    """Entry point of the process that probes the confinement. It is forked with torch, which this process lacks."""
    from autograde.isolation.confinement_probes import probe_confinement

    (connection,) = answers
    try:
        connection.send(probe_confinement(zygote, course, untrusted=untrusted))
    except Exception as error:
        connection.send(error)


def list_grader_modules(work: Work) -> tuple[str, ...]:
    """The modules that the server imports once, before graders are forked from it."""
    return *GRADER, *sorted(list_check_modules(work))


def count_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

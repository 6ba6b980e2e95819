"""One grader process: a pytest session that runs the collected checks again for every submission that it receives."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import tempfile
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from socket import socket
from typing import Any

import msgspec
import pytest
import torch
from _pytest.runner import runtestprotocol

from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.course import CourseError, Work
from autograde.disk import explain_os_error
from autograde.grading import pytest_plugin
from autograde.grading.check_cache import CheckCache
from autograde.grading.check_forks import SPARE, CheckForks
from autograde.grading.collected_checks import find_exercise, list_misconceptions, separate_misconceptions
from autograde.grading.digests import compute_digest, hash_checks
from autograde.grading.options import ListMisconceptions, Options, SeparateMisconceptions
from autograde.grading.verdicts import judge_exception, passed_verdict, waiting_verdict
from autograde.isolation.launch import open_submission
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import WardenLostError, ZygoteError
from autograde.notebooks.extract import Submission
from autograde.notebooks.release import read_points
from autograde.notebooks.source import CHECKS
from autograde.report import ExerciseReport, Outcome, Problem, ProblemKind, Report, Verdict, broken_report
from autograde.testing.checks import Check
from autograde.testing.diagnosis import Evidence
from autograde.testing.separation import Separation


def run_grader(connections: list[Connection], work: Work, zygote: socket, device: str) -> None:
    """Entry point: serve the first connection in this process and each other one in a fork, until they close."""
    torch.set_num_threads(1)
    sys.dont_write_bytecode = True
    root = str(work.course.root)
    sys.path.insert(0, root)
    session = GradingSession(work, zygote, _resolve_device(device), connections)
    unused = ("terminal", "cacheprovider", "hypothesispytest", "faulthandler")
    arguments = [part for plugin in unused for part in ("-p", f"no:{plugin}")]
    arguments += ["-s", "-c", "/dev/null", "--rootdir", root, "--import-mode=importlib"]
    with tempfile.TemporaryDirectory() as empty:
        folder = work.paths.hidden_tests
        if not folder.is_dir() and (unchecked := read_points(work)):
            session.errors.append(f"{folder} does not exist, but {', '.join(unchecked)} have points for hidden checks")
        else:  # if every answer is marked by hand, there are no tests to collect
            pytest.main([str(folder) if folder.is_dir() else empty, *arguments], [session, pytest_plugin])
    for connection in connections if session.errors else ():
        with contextlib.suppress(OSError):  # another grader may have reported the errors, and the pool may be closed
            connection.send("the hidden tests cannot be collected: " + session.errors[0])
    session.end()


def _resolve_device(device: str) -> str:
    """cpu or cuda; auto means cuda if the machine has it."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass
class GradingSession:
    """The pytest plug-in that replaces pytest's test loop."""

    work: Work
    zygote: socket
    device: str
    connections: list[Connection]
    others: list[int] = field(default_factory=list)
    """process ids of the forks, each of which serves one connection"""
    is_fork: bool = False
    options: Options = Options()
    errors: list[str] = field(default_factory=list)
    forks: CheckForks | None = None
    doubtful: set[tuple[str, str]] = field(default_factory=set)
    """(exercise, check) whose hint names a property that fails, and not a fact or a misconception"""
    checks: str = ""
    """digest of the tests as this process imported them; the files may have been edited since"""

    def pytest_configure(self, config: pytest.Config) -> None:
        self.checks = hash_checks(self.work)
        config.option.tbstyle = "no"  # pytest's report of a failure is not used, and writing it compiles the test

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(str(report.longrepr)[-1500:])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.errors:
            return True
        session.config.stash[pytest_plugin.STUDENT] = self.open_student
        items: list[Any] = [item for item in session.items if hasattr(getattr(item, "obj", None), "check")]
        # This runs while the zygote starts and the confinement is verified.
        cache = CheckCache(self.work, items, self.checks, self.device)
        connection = self._fork_per_connection()
        while True:
            try:
                order = connection.recv()
            except (EOFError, OSError):
                return True
            if isinstance(order, ListMisconceptions):
                connection.send(list_misconceptions(items))
                continue
            if isinstance(order, SeparateMisconceptions):
                connection.send(self._find_separations(order.solution, session, items))
                continue
            submission, self.options = order
            self._forget_answers(session)
            answer = self._try_to_grade(submission, items)
            with contextlib.suppress(OSError):
                connection.send(answer)
            if isinstance(answer, Report):
                cache.save_after(answer, self.options)

    def _find_separations(
        self, solution: Submission, session: pytest.Session, items: list[Any]
    ) -> dict[str, list[Separation]] | str:
        """By exercise, from what the solution answers; or the reason why this machine cannot grade it."""
        self.options = Options(ignore_after=True)
        evidence = self._forget_answers(session)
        answer = self._try_to_grade(solution, items)
        return answer if isinstance(answer, str) else separate_misconceptions(items, evidence)

    def _forget_answers(self, session: pytest.Session) -> Evidence:
        """Prepare for a submission with `self.options`. Returns where its answers will be collected."""
        stash, evidence = session.config.stash, Evidence()
        stash[pytest_plugin.SEED] = self.work.course.seed if self.options.seed is None else self.options.seed
        stash[pytest_plugin.EVIDENCE], stash[pytest_plugin.EARLIER] = evidence, {}
        stash[pytest_plugin.DECOY] = self.options.decoy
        return evidence

    def _fork_per_connection(self) -> Connection:
        """Fork for every connection but the first, so that tests are prepared once. Return the one to serve here."""
        gc.freeze()  # keeps the garbage collector from unsharing the memory that the forks share
        own = self.connections[0]
        for index, other in enumerate(self.connections[1:], start=1):
            if (pid := os.fork()) == 0:
                self.is_fork, self.others, own = True, [], other
                for unused in (self.connections[0], *self.connections[index + 1 :]):
                    unused.close()
                break
            self.others.append(pid)
            other.close()
        return own

    def end(self) -> None:
        """After the last submission: a fork exits, and the original process waits for its forks."""
        if self.is_fork:
            os._exit(0)
        for pid in self.others:
            os.waitpid(pid, 0)

    def _try_to_grade(self, submission: Submission, items: list[Any]) -> Report | str:
        """The report, or the reason why this machine cannot grade any submission."""
        try:
            return self.grade(submission, items)
        except WardenLostError as error:
            return broken_report(submission.slug, submission.student, str(error))
        except (ZygoteError, CourseError) as error:
            return str(error)
        except OSError as error:
            if (why := explain_os_error(error)) is None:
                raise
            return why

    def open_student(self, item: pytest.Item) -> contextlib.AbstractContextManager[Student]:
        """The student for the current check."""
        assert self.forks is not None
        return self.forks.open_student()

    def grade(self, submission: Submission, items: list[Any]) -> Report:
        limits = self.work.limits
        with open_submission(self.work, submission, self.zygote, len(items) + SPARE, self.device) as running:
            problems = _list_problems(running)
            with CheckForks(running, limits, self.device) as self.forks:
                exercises = self._run_exercises(items)
        return Report(
            assignment=self.work.slug,
            student=submission.student,
            digest=compute_digest(self.work, submission.fingerprint, self.checks),
            problems=[*submission.problems, *problems],
            exercises=exercises,
            cells=running.cells,
            environment={"device": self.device, "torch": str(torch.__version__)},
        )

    def _run_exercises(self, items: list[Any]) -> list[ExerciseReport]:
        verdicts: dict[str, dict[str, Verdict]] = {}
        self.doubtful = set()
        for item in items:
            if not self.options.exercises or find_exercise(item) in self.options.exercises:
                done = verdicts.setdefault(find_exercise(item), {})
                done[item.obj.check.name] = self._run_check(item, item.obj.check, done)
        order = [name for name in read_points(self.work) if name in verdicts]
        return [
            ExerciseReport(exercise=name, verdicts=self._remove_doubtful_hints(name, list(verdicts[name].values())))
            for name in [*order, *sorted(verdicts.keys() - set(order))]
        ]

    def _remove_doubtful_hints(self, exercise: str, verdicts: list[Verdict]) -> list[Verdict]:
        """If a misconception explains the numbers, hints of properties, which it may break too, would mislead."""
        if not any(verdict.misconception for verdict in verdicts):
            return verdicts
        return [
            msgspec.structs.replace(verdict, hint="") if (exercise, verdict.check) in self.doubtful else verdict
            for verdict in verdicts
        ]

    def _run_check(self, item: Any, check: Check, done: dict[str, Verdict]) -> Verdict:
        before = done.get(check.after)
        if before is not None and before.outcome is not Outcome.PASSED and not self.options.ignore_after:
            return waiting_verdict(check, before.title)
        item.stash[pytest_plugin.RAISED] = None
        item._initrequest()
        runtestprotocol(item, log=False, nextitem=None)
        raised = item.stash[pytest_plugin.RAISED]
        if raised is None:
            return passed_verdict(check)
        assert self.forks is not None
        try:
            self.forks.close()
        except WardenLostError as error:
            raised = error
        if isinstance(raised, Mismatch) and not raised.is_fact and not raised.misconception:
            self.doubtful.add((find_exercise(item), check.name))
        errors = {run.cell: run.error for run in self.forks.running.cells}
        return judge_exception(check, raised, self.work.course.reveal, errors.get(find_exercise(item), ""))


def _list_problems(running: RunningSubmission) -> list[Problem]:
    """The cells that stopped with an error, and the reason if no check could run."""
    found = [
        Problem(
            kind=ProblemKind.EXAMPLE_FAILED if run.cell.endswith(CHECKS) else ProblemKind.CELL_STOPPED,
            cell=run.cell,
            text=run.error,
        )
        for run in running.cells
        if run.error
    ]
    if running.problem:
        found.append(Problem(kind=ProblemKind.NOTEBOOK_STOPPED, text=running.problem))
    return found

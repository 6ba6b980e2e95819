"""`@check` marks a test as one graded property and says how its examples are drawn, recorded and shrunk."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings

from autograde.client.errors import OffScriptError, StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.reproduction import Line, render_calls
from autograde.client.student import Student
from autograde.testing.decoys import Decoy, Kind
from autograde.testing.diagnosis import Evidence
from autograde.testing.drawing import SETTINGS, Case, Test, draw_cases, shrink
from autograde.testing.error_ratio import round_largest
from autograde.testing.request_replay import Script
from autograde.testing.supplies import Supplies
from autograde.testing.trial import Trial, run_trial

MAX_SCRIPTS = 3


@dataclass
class Check:
    """One graded property: its points, its title, and the examples that are the same for every submission."""

    test: Test
    body: Test
    """the test's own function, below Hypothesis"""
    points: float
    after: str
    examples: int
    cases: list[Case] = field(default_factory=list)
    """the arguments drawn in an undisturbed run: the same for every submission, so drawn once"""
    drawn_for: int | None = None
    """the seed that `cases` were drawn with"""
    failure: BaseException | None = None
    failed_lines: list[Line] = field(default_factory=list)
    """the calls of the example that failed"""
    replay: str = ""
    margin: float | None = None
    """the largest error of the last run, in units of what was allowed"""
    script: Script | None = None
    """the requests to the last submission that passed"""
    script_count: int = 0
    """how many scripts there were: a check whose requests depend on the replies needs none"""

    @property
    def name(self) -> str:
        return self.test.__name__

    @property
    def title(self) -> str:
        return " ".join((self.test.__doc__ or self.name).split())

    @property
    def supplies(self) -> list[Supplies]:
        """What every check of this file supplies to the submission."""
        return [value for value in self.body.__globals__.values() if isinstance(value, Supplies)]

    @property
    def draws(self) -> bool:
        """Whether the test takes drawn arguments."""
        return hasattr(self.test, "hypothesis")

    def draw(self, course_seed: int) -> list[Case]:
        """The cases of this seed, before there is a submission. Empty if the test draws while it runs."""
        if not self.draws:
            return [{}]
        if self.drawn_for != course_seed:
            self.cases, self.drawn_for = draw_cases(self.test, course_seed), course_seed
            self.script, self.script_count = None, 0
        return self.cases

    def restore(self, course_seed: int, cases: list[Case], frames: list[bytes] | None) -> None:
        """Take over the cases that another process has drawn for this seed, and the requests that it recorded."""
        self.cases, self.drawn_for = cases, course_seed
        self.script, self.script_count = (Script(frames), 1) if frames else (None, 0)

    def run(
        self,
        student: Student,
        course_seed: int,
        evidence: Evidence | None = None,
        decoy: Decoy | None = None,
        earlier: Mapping[str, bool] | None = None,
        kind: Kind | None = None,
    ) -> None:
        """Try the property; raises what the smallest failing example raised.

        `evidence` is what the submission answered to earlier checks; this one's answers are added to it. `earlier`
        says of each earlier check of the exercise whether it passed. With a `kind`, the check gets what it makes of
        each answer; a failure is not shrunk then.
        Every drawn case is tried, also after a failure: more answers leave fewer explanations for what went wrong.
        In a fork that another check has used, or with all requests sent ahead, only a pass counts; anything else is
        tried again in a fresh fork, one request after the other.
        """
        cases = self.draw(course_seed)
        student._prepare(earlier or {}, kind)
        trial = Trial(student, Evidence() if evidence is None else evidence, decoy, self.name)
        if (fresh_fork := student._fresh_fork) is not None and (student._used or self.script):
            if kind is None and self._passes(trial, student, cases):
                return
            student = fresh_fork()
            student._prepare(earlier or {}, kind)
            trial = trial.restart(student)
        before = len(trial.evidence.observations)
        with run_trial(trial):
            try:
                self._run(student, course_seed, shrinks=kind is None)
                if kind is not None and not student._rpc.replaced:
                    raise Mismatch("the check asks for no answer that could be of another kind")
            except Mismatch as mismatch:
                mismatch.recognise()
                raise
            finally:
                is_small = isinstance(self.failure, Mismatch) and self.failure.is_small
                self.replay = render_calls(self.failed_lines, precise=is_small)
                self.margin = round_largest(trial.error_ratios)
        if cases:
            self._remember(trial, student, before)

    def _passes(self, trial: Trial, student: Student, cases: list[Case]) -> bool:
        """Does every drawn case pass? Stops at the first that does not, and then leaves no trace here."""
        evidence, connection = trial.evidence, student._rpc.connection
        before = len(evidence.observations)
        self.failure, self.failed_lines, self.replay = None, [], ""
        with run_trial(trial):
            try:
                if self.script:
                    connection.send_ahead(self.script.frames)
                    # With a decoy, what is compared is not what the submission answers.
                    if trial.decoy is None and (past := self.script.recall(connection)):
                        evidence.extend(past.observations)
                        self.margin = past.margin
                        return True
                for case in cases:
                    self._example(self.body, student=student, **case)
            except (Exception, WorkerLostError, OffScriptError):  # whatever the cause: it fails in a fresh fork too
                evidence.truncate(before)
                return False
        self.margin = round_largest(trial.error_ratios)
        if connection.has_unmade_requests or not cases:  # a test that draws while it runs has no cases
            evidence.truncate(before)
            return False
        self._remember(trial, student, before)
        return True

    def _remember(self, trial: Trial, student: Student, before: int) -> None:
        """Record the requests, the replies, and the observations after the first `before`."""
        log = student._rpc.connection.log
        if self.script is None or self.script.frames != log.requests:
            self.script_count += 1
            self.script = Script(log.requests) if log.is_complete and self.script_count <= MAX_SCRIPTS else None
        if self.script is not None and log.is_complete and trial.decoy is None:
            self.script.remember(log, self.margin, trial.evidence.observations[before:])

    def _run(self, student: Student, course_seed: int, shrinks: bool) -> None:
        self.failure, self.failed_lines = None, []
        if not self.draws:
            self._example(self.test, student=student)
            return
        try:
            passed = 0  # before the first that fails
            for case in self.draw(course_seed):
                with contextlib.suppress(StudentError, AssertionError):
                    self._example(self.body, student=student, **case)
                    passed += self.failure is None
            if self.failure is not None and not shrinks:
                raise self.failure
            if self.failure is not None or not self.cases:
                self._shrink(student, course_seed, passed)
        except WorkerLostError as lost:
            # A wrong answer that came before says more than the loss: shrinking may meet a slow input.
            raise (self.failure or lost) from None

    def _shrink(self, student: Student, course_seed: int, passed: int) -> None:
        """Look for a smaller example that fails, or for any where no case could be drawn; raises the failure."""
        run_example = functools.partial(self._example, self.body)
        try:
            shrink(self.test, run_example, lambda error: error is self.failure, student, course_seed, passed)
        except BaseException as raised:
            # Whatever Hypothesis makes of a failure (flaky, a group, a smaller one), the recorded one is the verdict.
            raise (self.failure or raised) from None
        if self.failure is not None:
            raise self.failure

    def _example(self, test: Test, **arguments: Any) -> None:
        """One example; a failure replaces the one recorded before: shrinking makes them smaller."""
        student = arguments["student"]
        student._rpc.begin()
        try:
            for supplies in self.supplies:
                student.supply(**supplies.functions)
            test(**arguments)
        except BaseException as error:
            fault_of_student = isinstance(error, (StudentError, AssertionError)) or not isinstance(error, Exception)
            if fault_of_student and (self.failure is None or isinstance(error, Exception)):
                self.failure, self.failed_lines = error, list(student._rpc.reproduction.lines)
            raise


def check(*, points: float, after: Test | None = None, examples: int = 20) -> Callable[[Test], Test]:
    """Mark a test as a check, one graded property. Write it above `@given`.

    The test takes `student` and the arguments that `@given` draws. Its docstring is the title that a student reads.

    - `points`: what passing is worth, 0 or more. There is no partial credit within a check.
    - `after`: an earlier check of the same file. Until that one passes, this one waits and earns nothing, so that one
      mistake does not fill the page.
    - `examples`: how many inputs are drawn, the same for every submission. A test without `@given` runs once.

    ValueError if there is no docstring or no `student`, or if a number is out of range. Draw with `@st.composite` and
    not with `st.data()`: what is drawn inside a test cannot be drawn once for a whole class.

    Example:
        # In the notebook
        def relu(x):
            return x.clamp(min=0)

        # In the hidden test
        oracle = Oracle(torch.relu)

        @check(points=2, examples=30)
        @given(tensors((2, 3)))
        def test_formula(student, x):
            '''negative numbers become 0, others stay'''
            oracle.compare(student.relu(x), x)

        @check(points=1, after=test_formula, examples=5)
        @given(tensors((3,)))
        def test_input(student, x):
            '''the input is left unchanged'''
            contract.input_unchanged(student.relu, x)
    """
    if points < 0 or examples < 1:
        raise ValueError(f"a check needs points >= 0 and examples >= 1, not {points=}, {examples=}")

    def mark(test: Test) -> Test:
        if not (test.__doc__ or "").strip():
            raise ValueError(f"check {test.__name__} has no docstring; it is the title a student reads")
        if "student" not in inspect.signature(test).parameters:
            raise ValueError(f"check {test.__name__} does not take `student`")
        # Kept here because drawing and shrinking replace Hypothesis' inner test.
        body = test.hypothesis.inner_test if hasattr(test, "hypothesis") else test
        if hasattr(test, "hypothesis"):
            settings(SETTINGS, max_examples=examples)(test)
        made = Check(test, body, points, after.__name__ if after else "", examples)
        test.check = made  # type: ignore[attr-defined]
        return test

    return mark

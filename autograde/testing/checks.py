"""`@check` marks a test as one graded property and says how its examples are drawn, recorded and shrunk."""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.control import current_build_context
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import DataObject

from autograde.client.errors import OffScriptError, StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.reproduction import Line, render_calls
from autograde.client.student import Student
from autograde.testing.decoys import Decoy
from autograde.testing.diagnosis import Evidence
from autograde.testing.error_ratio import largest
from autograde.testing.request_replay import Pass, Script, script_of
from autograde.testing.trial import Trial, running

Test = Callable[..., Any]
MOST_SCRIPTS = 3
SHRINKS = 60
"""How many more examples may be tried to make a failing one smaller: counted, so never a matter of speed."""


class ShrunkEnoughError(BaseException):
    """Ends Hypothesis' search for a smaller failure; the failure itself has been recorded."""


@dataclass
class Check:
    """One graded property: its points, its title, and the examples that every submission is asked."""

    test: Test
    body: Test
    """the test's own function, below Hypothesis"""
    points: float
    after: str
    examples: int
    cases: list[dict[str, Any]] = field(default_factory=list)
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
    """what the last submission that passed was asked"""
    scripts: int = 0
    """how many scripts there were: a check whose questions depend on the answers needs none"""

    @property
    def name(self) -> str:
        return self.test.__name__

    @property
    def title(self) -> str:
        return " ".join((self.test.__doc__ or self.name).split())

    def draw(self, course_seed: int) -> None:
        """Draw what will be asked, before there is anybody to ask."""
        if hasattr(self.test, "hypothesis"):
            self._cases(course_seed)

    def know(self, course_seed: int, cases: list[dict[str, Any]], frames: list[bytes] | None) -> None:
        """Take over what another process has drawn for this seed, and the questions that it came to ask."""
        self.cases, self.drawn_for = cases, course_seed
        self.script, self.scripts = (Script(frames), 1) if frames else (None, 0)

    def run(
        self, student: Student, course_seed: int, evidence: Evidence | None = None, decoy: Decoy | None = None
    ) -> None:
        """Try the property; raises what the smallest failing example raised.

        `evidence` is what the submission answered to earlier checks; this one's answers are added to it.
        Every drawn case is tried, also after a failure: more answers leave fewer explanations for what went wrong.
        In a fork that another check has used, or with all questions asked at once, only a pass counts; anything else
        is tried again in a fresh one, question by question.
        """
        cases = self._cases(course_seed) if hasattr(self.test, "hypothesis") else [{}]
        trial = Trial(student, Evidence() if evidence is None else evidence, decoy)
        if (afresh := student._afresh) is not None and (student._used or self.script):
            if self._passes(trial, student, cases):
                return
            student = afresh()
            trial = trial.again(student)
        before = len(trial.evidence.seen)
        with running(trial):
            try:
                self._run(student, course_seed)
            except Mismatch as mismatch:
                mismatch.recognise()
                raise
            finally:
                self.replay, self.margin = render_calls(self.failed_lines), largest(trial.error_ratios)
        if cases:
            self._remember(trial, student, before)

    def _passes(self, trial: Trial, student: Student, cases: list[dict[str, Any]]) -> bool:
        """Does every drawn case pass? Stops at the first that does not, and then leaves no trace here."""
        evidence, rpc = trial.evidence, student._rpc
        before = len(evidence.seen)
        self.failure, self.failed_lines, self.replay = None, [], ""
        with running(trial):
            try:
                if self.script:
                    rpc.ask_ahead(self.script.frames)
                    # With a decoy, what is compared is not what the submission answers.
                    if trial.decoy is None and (known := self.script.recall(rpc)):
                        evidence.extend(known.seen)
                        self.margin = known.margin
                        return True
                for case in cases:
                    self._example(self.body, student=student, **case)
            except (Exception, WorkerLostError, OffScriptError):  # whoever is at fault: it fails in a fresh fork too
                evidence.forget(before)
                return False
        self.margin = largest(trial.error_ratios)
        if rpc.ahead or not cases:  # a test that draws as it goes has none
            evidence.forget(before)
            return False
        self._remember(trial, student, before)
        return True

    def _remember(self, trial: Trial, student: Student, before: int) -> None:
        """What this submission was asked and answered, and what it showed beyond the first `before` observations."""
        exchange_log = student._rpc.exchange_log
        if self.script is None or self.script.frames != exchange_log.asked:
            self.scripts += 1
            self.script = script_of(exchange_log) if self.scripts <= MOST_SCRIPTS else None
        if self.script is not None and exchange_log.complete and trial.decoy is None:
            passed = Pass(self.margin, trial.evidence.seen[before:], exchange_log.answers)
            self.script.remember(exchange_log.heard.digest(), passed)

    def _run(self, student: Student, course_seed: int) -> None:
        self.failure, self.failed_lines = None, []
        if not hasattr(self.test, "hypothesis"):
            self._example(self.test, student=student)
            return
        try:
            passed = 0  # before the first that fails
            for case in self._cases(course_seed):
                with contextlib.suppress(StudentError, AssertionError):
                    self._example(self.body, student=student, **case)
                    passed += self.failure is None
            if self.failure is not None or not self.cases:
                self._search(student, course_seed, passed)
        except WorkerLostError as lost:
            # A wrong answer that came before says more than the loss: a search for a smaller one may meet a slow input.
            raise (self.failure or lost) from None

    def _cases(self, course_seed: int) -> list[dict[str, Any]]:
        """What Hypothesis draws for this seed: the same for every submission. Empty if a test draws as it goes."""
        if self.drawn_for != course_seed:
            drawn: list[dict[str, Any]] = []
            self._hypothesis(lambda student, **case: drawn.append(case), None, course_seed)
            interactive = any(isinstance(value, DataObject) for case in drawn for value in case.values())
            self.cases, self.drawn_for = [] if interactive else drawn, course_seed
            self.script, self.scripts = None, 0
        return self.cases

    def _search(self, student: Student, course_seed: int, passed: int) -> None:
        """Let Hypothesis find and shrink a failing example, in a counted number of tries.

        It begins with the drawn cases once more. The first `passed` of them are known to pass, so nobody is asked.
        """
        known, tries = iter(range(passed)), itertools.count()
        found = False

        def example(**arguments: Any) -> None:
            nonlocal found
            if next(known, None) is not None:
                return
            if found and next(tries) >= SHRINKS:
                raise ShrunkEnoughError
            try:
                self._example(self.body, **arguments)
            except BaseException as error:
                found = True
                if error is self.failure and _simplest():
                    raise ShrunkEnoughError from None
                raise

        try:
            self._hypothesis(example, student, course_seed)
        except BaseException as raised:
            # Whatever Hypothesis makes of a failure (flaky, a group, a smaller one), the recorded one is the verdict.
            raise (self.failure or raised) from None
        if self.failure is not None:
            raise self.failure

    def _hypothesis(self, body: Test, student: Student | None, course_seed: int) -> None:
        self.test.hypothesis.inner_test = body  # type: ignore[attr-defined]
        # Hypothesis would mix in constants of all modules that happen to be loaded: a change in one check, or in the
        # engine, would then change what every other check draws.
        with patch.object(providers, "_get_local_constants", Constants):
            seed(course_seed)(self.test)(student=student)

    def _example(self, test: Test, **arguments: Any) -> None:
        """One example; a failure is recorded in the place of the one before: shrinking makes them smaller."""
        student = arguments["student"]
        student._rpc.begin()
        try:
            test(**arguments)
        except BaseException as error:
            fault_of_student = isinstance(error, (StudentError, AssertionError)) or not isinstance(error, Exception)
            if fault_of_student and (self.failure is None or isinstance(error, Exception)):
                self.failure, self.failed_lines = error, list(student._rpc.reproduction.lines)
            raise


def _simplest() -> bool:
    """Is each choice behind the example that Hypothesis runs the simplest of its kind?

    Only an example of fewer choices could be smaller then; none of 1479 searches over all wrong programs found one.
    """
    return all(node.trivial for node in current_build_context().data.nodes)


_SETTINGS = settings(
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    # Slow students are the limits' affair, and the fixture is reset for each example.
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


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
        # Kept here because a search puts its own recorder in the place of Hypothesis' inner test.
        body = test.hypothesis.inner_test if hasattr(test, "hypothesis") else test
        if hasattr(test, "hypothesis"):
            settings(_SETTINGS, max_examples=examples)(test)
        made = Check(test, body, points, after.__name__ if after else "", examples)
        test.check = made  # type: ignore[attr-defined]
        return test

    return mark

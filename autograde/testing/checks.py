"""`@check` marks a test as one graded property and says how its examples are drawn, recorded and shrunk."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.strategies import DataObject

from autograde.student import Student, StudentError

Test = Callable[..., Any]
SHRINKS = 60
"""How many more failing or passing examples may be tried to make a failing one smaller: counted, so never a matter of speed."""


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
    failure: BaseException | None = None
    replay: str = ""
    tried: int = 0

    @property
    def name(self) -> str:
        return self.test.__name__

    @property
    def title(self) -> str:
        return " ".join((self.test.__doc__ or self.name).split())

    def run(self, student: Student, course_seed: int) -> None:
        """Try the property; raises what the smallest failing example raised."""
        self.failure, self.replay, self.tried = None, "", 0
        if not hasattr(self.test, "hypothesis"):
            self._example(self.test, student=student)
            return
        if self.cases:
            try:
                for case in self.cases:
                    self._example(self.body, student=student, **case)
            except (StudentError, AssertionError):
                self.failure, self.replay = None, ""
            else:
                return
        self._search(student, course_seed)

    def _search(self, student: Student, course_seed: int) -> None:
        drawn: list[dict[str, Any]] = []

        def example(**case: Any) -> None:
            case.pop("student")
            drawn.append(case)
            self._example(self.body, student=student, **case)

        self.test.hypothesis.inner_test = example  # type: ignore[attr-defined]
        run = seed(course_seed)(self.test)
        try:
            run(student=student)
        except BaseException as raised:
            # Whatever Hypothesis makes of a failure (flaky, a group, a smaller one), the recorded one is the verdict.
            raise (self.failure or raised) from None
        if not any(isinstance(value, DataObject) for case in drawn for value in case.values()):
            self.cases = drawn

    def _example(self, test: Test, **arguments: Any) -> None:
        student = arguments["student"]
        student._begin()
        if self.failure is not None:
            self.tried += 1
            if self.tried > SHRINKS:
                raise ShrunkEnoughError
        try:
            test(**arguments)
        except (StudentError, AssertionError) as error:
            self.failure, self.replay = error, student._transcript.text()
            raise
        except BaseException as error:
            if self.failure is None and not isinstance(error, Exception):
                self.failure, self.replay = error, student._transcript.text()
            raise


_SETTINGS = settings(
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),  # slow students are the limits' affair, and the fixture is reset per example
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


def check(*, points: float, after: Test | None = None, examples: int = 30) -> Callable[[Test], Test]:
    """Mark a test as a check worth `points`, tried on `examples` drawn inputs, once the check `after` has passed."""
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

"""Hypothesis' part: drawing the cases of a check, and shrinking an example that fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.control import current_build_context
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from hypothesis.strategies import DataObject

from autograde.client.student import Student

Test = Callable[..., Any]
Case = dict[str, Any]
MAX_SHRINKS = 60
"""How many more examples may be tried to make a failing one smaller: counted, so never a matter of speed."""
SETTINGS = settings(
    database=None,
    deadline=None,
    print_blob=False,
    report_multiple_bugs=False,
    # Slow students are the limits' concern, and the fixture is reset for each example.
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)


class ShrunkEnoughError(BaseException):
    """Ends Hypothesis' shrinking; the failure itself has been recorded."""


def draw_cases(test: Test, course_seed: int) -> list[Case]:
    """What Hypothesis draws for this seed. Empty if the test draws while it runs, with `st.data()`."""
    cases: list[Case] = []
    run_hypothesis(test, lambda student, **case: cases.append(case), None, course_seed)
    interactive = any(isinstance(value, DataObject) for case in cases for value in case.values())
    return [] if interactive else cases


def shrink(
    test: Test,
    run_example: Test,
    is_recorded: Callable[[BaseException], bool],
    student: Student,
    course_seed: int,
    passed: int,
) -> None:
    """Let Hypothesis find and shrink a failing example of `test`, in a counted number of tries.

    It begins with the drawn cases again. The first `passed` of them are known to pass, so they are not run.
    `run_example` records a failure and raises it. Raises what Hypothesis makes of it: flaky, a group, a smaller one.
    """
    to_skip, tries = iter(range(passed)), itertools.count()
    failed = False

    def example(**arguments: Any) -> None:
        nonlocal failed
        if next(to_skip, None) is not None:
            return
        if failed and next(tries) >= MAX_SHRINKS:
            raise ShrunkEnoughError
        try:
            run_example(**arguments)
        except BaseException as error:
            failed = True
            if is_recorded(error) and _is_simplest():
                raise ShrunkEnoughError from None
            raise

    run_hypothesis(test, example, student, course_seed)


def run_hypothesis(test: Test, body: Test, student: Student | None, course_seed: int) -> None:
    """Run `body` on what is drawn for `test`."""
    test.hypothesis.inner_test = body  # type: ignore[attr-defined]
    # Hypothesis would mix in constants of all modules that happen to be loaded: a change in one check, or in the
    # engine, would then change what every other check draws.
    with patch.object(providers, "_get_local_constants", Constants):
        seed(course_seed)(test)(student=student)


def _is_simplest() -> bool:
    """Is each choice behind the example that Hypothesis runs the simplest of its kind?

    Only an example of fewer choices could be smaller then; none of 1479 searches over all wrong programs found one.
    """
    return all(node.trivial for node in current_build_context().data.nodes)

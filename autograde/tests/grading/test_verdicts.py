"""Every exception of a check becomes one verdict, and students do not pay for faults of the course."""

from __future__ import annotations

import msgspec
import pytest

from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.grading.verdicts import NOT_WRITTEN, judge_exception
from autograde.isolation.running_submission import WorkerCrashedError, WorkerTimeoutError
from autograde.report import Outcome, Reveal
from autograde.testing import check
from autograde.testing.checks import Check
from autograde.wire import WireError


@pytest.fixture
def judged() -> Check:
    def test(student: Student) -> None:
        """the title"""

    made: Check = check(points=3)(test).check  # type: ignore[attr-defined]
    made.replay = "f(1)"
    return made


STUDENT_ERROR = StudentError(["ZeroDivisionError", "Exception"], "by zero", [("f", 3, "return 1 / 0")], False)
RAISED = [
    (Mismatch("wrong", "do this", misconception="idea"), Outcome.FAILED, "wrong"),
    (AssertionError("rows must sum to one\nassert 2 == 1"), Outcome.FAILED, "rows must sum to one"),
    (AssertionError("assert 2 == 1"), Outcome.FAILED, "the property does not hold"),
    (AssertionError(), Outcome.FAILED, "the property does not hold"),
    (StudentError(["NotImplementedError"], "", [], False), Outcome.NOT_WRITTEN, NOT_WRITTEN),
    (STUDENT_ERROR, Outcome.CRASHED, "ZeroDivisionError: by zero"),
    (WorkerLostError("ended"), Outcome.CRASHED, "ended"),
    (WorkerLostError("slow", timed_out=True), Outcome.TIMED_OUT, "slow"),
    (WorkerTimeoutError("slow"), Outcome.TIMED_OUT, "slow"),
    (WorkerCrashedError("died"), Outcome.CRASHED, "died"),
    (KeyError("ours"), Outcome.BROKEN, "KeyError: 'ours'"),
    (WireError("a sparse tensor"), Outcome.BROKEN, "WireError: a sparse tensor"),
]


@pytest.mark.parametrize(("raised", "outcome", "reason"), RAISED, ids=lambda value: type(value).__name__)
def test_verdict_blames_submission_check_or_engine(
    judged: Check, raised: BaseException, outcome: Outcome, reason: str
) -> None:
    verdict = judge_exception(judged, raised, Reveal.EXPECTED)
    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert (verdict.points, verdict.max_points, verdict.title) == (0, 3, "the title")


def test_verdict_of_a_name_whose_cell_stops_at_its_stub_is_not_written(judged: Check) -> None:
    missing = StudentError(["MissingNameError"], "the notebook defines no `w`", [], True)
    for cell_error, outcome in (
        ("NotImplementedError in line 3", Outcome.NOT_WRITTEN),
        ("NameError: x", Outcome.FAILED),
    ):
        assert judge_exception(judged, missing, Reveal.EXPECTED, cell_error).outcome is outcome


def test_verdict_of_what_torch_does_not_implement_is_no_stub(judged: Check) -> None:
    line = [("f", 3, "return torch.softmax(x, -1)")]
    error = StudentError(["NotImplementedError"], "\"softmax\" not implemented for 'Long'", line, False)
    verdict = judge_exception(judged, error, Reveal.EXPECTED)
    assert verdict.outcome is Outcome.CRASHED
    assert "floating numbers" in verdict.hint


def test_verdict_of_a_crash_says_where(judged: Check) -> None:
    assert judge_exception(judged, STUDENT_ERROR, Reveal.NOTHING).traceback == "cell f, line 3: return 1 / 0"


@pytest.mark.parametrize(
    ("reveal", "reason", "replay"),
    [
        (Reveal.NOTHING, "wrong", ""),
        (Reveal.INPUT, "wrong: got 1", "f(1)"),
        (Reveal.EXPECTED, "wrong: got 1, expected 2", "f(1)"),
    ],
)
def test_verdict_shows_only_what_the_course_reveals(judged: Check, reveal: Reveal, reason: str, replay: str) -> None:
    verdict = judge_exception(judged, Mismatch("wrong", got="got 1", expected="expected 2"), reveal)
    assert (verdict.reason, verdict.replay) == (reason, replay)


def test_verdict_of_a_missing_name_says_what_stopped_its_cell(judged: Check) -> None:
    missing = StudentError(["MissingNameError"], "the notebook defines no `f`", [], True)
    verdict = judge_exception(judged, missing, Reveal.EXPECTED, "SyntaxError in line 1: invalid syntax")
    assert verdict.outcome is Outcome.FAILED
    assert verdict.reason == "the notebook defines no `f`; its cell stopped: SyntaxError in line 1: invalid syntax"
    assert verdict.replay == ""
    assert verdict.hint == ""


def test_verdict_of_a_broken_check_can_be_stored(judged: Check) -> None:
    """A lone surrogate fits into no report, and a report that cannot be written stops the whole run."""
    verdict = judge_exception(judged, ValueError("not a word: \ud800\x1b[2J"), Reveal.EXPECTED)
    assert verdict.outcome is Outcome.BROKEN
    assert b"not a word" in msgspec.json.encode(verdict)
    assert "\x1b" not in verdict.reason + verdict.traceback


@pytest.mark.parametrize(
    ("cell_error", "hint"),
    [
        ("", "Keep it as the notebook gives it"),
        ("EOFError in line 1: EOF when reading a line", "`input()` finds nobody"),
        ("ModuleNotFoundError in line 2: No module named 'einops'", "Only the modules that the notebook imports"),
    ],
)
def test_verdict_of_a_missing_name_says_what_to_do(judged: Check, cell_error: str, hint: str) -> None:
    missing = StudentError(["MissingNameError"], "the notebook defines no `f`", [], True)
    assert hint in judge_exception(judged, missing, Reveal.EXPECTED, cell_error).hint


def test_verdict_of_a_missing_gpu_is_not_a_failed_assertion(judged: Check) -> None:
    raised = StudentError(["AssertionError", "Exception"], "Torch not compiled with CUDA enabled", [], False)
    assert "Leave `.cuda()` out" in judge_exception(judged, raised, Reveal.EXPECTED).hint

"""Asking everything at once, and knowing answers that have passed, changes no verdict."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.client.errors import WorkerLostError
from autograde.client.student import Student
from autograde.grading.check_forks import SPARE, CheckForks
from autograde.testing import Oracle, check, tensors
from autograde.testing.checks import MAX_SCRIPTS, Check
from autograde.testing.decoys import Decoy, find_decoy
from autograde.testing.diagnosis import Evidence
from autograde.tests.conftest import LIMITS, Run

ForksOf = Callable[..., CheckForks]
ROUNDS = 3


@pytest.fixture
def forks_of(run: Run) -> ForksOf:
    """The forks of a notebook with this one cell, for `checks` checks."""
    stack = ExitStack()

    def start(source: str, checks: int = ROUNDS) -> CheckForks:
        running = run("import torch\n" + source, checks=checks + SPARE)
        return stack.enter_context(CheckForks(running, LIMITS, "cpu"))

    with stack:
        yield start


def verdict(
    made: Check, forks: CheckForks, evidence: Evidence | None = None, decoy: Decoy | None = None
) -> tuple[str, str, float | None]:
    """What a check says of a submission: what it raised, the replay, the margin."""
    raised = ""
    with forks.open_student() as student:
        try:
            made.run(student, 5, evidence, decoy)
        except (AssertionError, Exception, WorkerLostError) as error:
            raised = f"{type(error).__name__}: {error}"
    if raised:
        forks.close()
    return raised, made.replay, made.margin


class Squares:
    """A check, fresh each time, that counts how often its body runs."""

    def __init__(self) -> None:
        self.ran = 0
        oracle = Oracle(lambda x: x.square())

        @given(tensors((2, 3)))
        def squares(student: Student, x: torch.Tensor) -> None:
            """squares"""
            self.ran += 1
            oracle.compare(student.f(x), x)
            oracle.compare_gradients(student.f, x)

        self.check: Check = check(points=1, examples=5)(squares).check  # type: ignore[attr-defined]


def test_request_replay_skips_answers_that_have_passed(forks_of: ForksOf) -> None:
    squares, one, other = Squares(), Evidence(), Evidence()
    first = verdict(squares.check, forks_of("def f(x):\n    return x * x"), one)
    ran = squares.ran
    again = verdict(squares.check, forks_of("def f(y):\n    return y * y"), other)
    assert first == again
    assert squares.ran == ran
    assert len(other.observations) == len(one.observations) == 10
    assert first[2] is not None


def test_request_replay_compares_answers_that_differ(forks_of: ForksOf) -> None:
    squares = Squares()
    verdict(squares.check, forks_of("def f(x):\n    return x * x"))
    ran = squares.ran
    assert verdict(squares.check, forks_of("def f(x):\n    return x**2 * 1.0000001"))[0] == ""
    assert squares.ran == ran + 5


PROGRAMS = (
    "def f(x):\n    return x * x",
    "def f(x):\n    return x * 2",
    "def f(x):\n    raise ValueError('no')",
    "import os\ndef f(x):\n    os._exit(3) if x.sum() > 0 else None\n    return x * x",
    "def f(x):\n    return x.square().view(-1)",
    "calls = []\ndef f(x):\n    calls.append(x)\n    return x * x if len(calls) < 6 else x",
)


@pytest.mark.parametrize("order", range(3))
def test_request_replay_earlier_submissions_change_no_verdict(forks_of: ForksOf, order: int) -> None:
    shared = Squares().check
    for program in random.Random(order).sample(PROGRAMS * 2, 8):
        assert verdict(shared, forks_of(program)) == verdict(Squares().check, forks_of(program))


def test_request_replay_sends_dependent_requests_one_by_one(forks_of: ForksOf) -> None:
    @given(st.integers(1, 100))
    def counts_down(student: Student, n: int) -> None:
        """asks with what it was told"""
        assert student.f(student.f(n)) <= n

    made: Check = check(points=1, examples=5)(counts_down).check  # type: ignore[attr-defined]
    for less in range(MAX_SCRIPTS + 2):
        assert verdict(made, forks_of(f"def f(n):\n    return n - {less}"))[0] == ""
    assert made.script is None


def lending() -> tuple[Check, list[int]]:
    """A check that lends a function, and the arguments of its calls."""
    calls: list[int] = []

    @given(st.integers(0, 50))
    def doubled(student: Student, n: int) -> None:
        """lends"""
        student.supply(double=lambda m: calls.append(int(m)) or torch.tensor(2 * m))
        assert student.f(n) == 2 * n
        assert student.f(n + 1) == 2 * n + 2

    return check(points=1, examples=4)(doubled).check, calls  # type: ignore[attr-defined]


def test_request_replay_answers_a_known_callback_from_the_record(forks_of: ForksOf) -> None:
    made, calls = lending()
    source = "def f(n):\n    return double(n).item()"
    assert verdict(made, forks_of(source))[0] == ""
    before = len(calls)
    assert verdict(made, forks_of(source))[0] == ""
    assert len(calls) == before > 0


def test_request_replay_calls_the_callback_for_other_arguments(forks_of: ForksOf) -> None:
    made, calls = lending()
    assert verdict(made, forks_of("def f(n):\n    return double(n).item()"))[0] == ""
    before = len(calls)
    # The first call is known, the second is not: the check runs, and each call has one answer.
    assert verdict(made, forks_of("def f(n):\n    return double(n).item() + double(0).item()"))[0] == ""
    assert len(calls) == before + 16
    assert verdict(made, forks_of("def f(n):\n    return double(n).item() + double(1).item()"))[0] != ""


def test_request_replay_frames_larger_than_a_pipe_do_not_deadlock(forks_of: ForksOf) -> None:
    @given(st.integers(1, 4))
    def large(student: Student, n: int) -> None:
        """sends and gets much"""
        x = torch.full((40_000,), float(n))
        assert student.f(x).equal(x + 1)

    made: Check = check(points=1, examples=4)(large).check  # type: ignore[attr-defined]
    source = "def f(x):\n    return x + 1"
    assert [verdict(made, forks_of(source))[0] for _ in range(2)] == ["", ""]
    assert made.script is not None


def test_request_replay_records_nothing_of_a_decoy(forks_of: ForksOf) -> None:
    squares, right = Squares(), "def f(x):\n    return x * x"
    assert verdict(squares.check, forks_of(right), decoy=find_decoy("the answer doubled"))[0] != ""
    assert verdict(squares.check, forks_of(right))[0] == ""
    assert verdict(squares.check, forks_of(right), decoy=find_decoy("zeros"))[0] != ""


def test_request_replay_memory_is_limited(forks_of: ForksOf, monkeypatch: pytest.MonkeyPatch) -> None:
    squares = Squares()
    right = verdict(squares.check, forks_of("def f(x):\n    return x * x"))
    ran = squares.ran
    monkeypatch.setattr("autograde.client.pipelined.MAX_BYTES_AHEAD", 200)
    assert verdict(squares.check, forks_of("def f(x):\n    return x * x")) == right
    assert squares.ran == ran + 5, "answers that are too long together are taken one by one"
    monkeypatch.setattr("autograde.testing.diagnosis.MAX_NUMBERS", 12)
    evidence = Evidence()
    verdict(squares.check, forks_of("def f(x):\n    return x * x"), evidence)
    kept = [seen.got for _, seen in evidence.observations]
    assert [len(got) for got in kept] == [1, 1, *[0] * 8]


def test_request_replay_memory_counts_forgotten_and_known_answers(forks_of: ForksOf) -> None:
    squares, right = Squares(), "def f(x):\n    return x * x"
    first, second = Evidence(), Evidence()
    verdict(squares.check, forks_of(right), first)
    assert first.size == 10 * 6
    verdict(squares.check, forks_of(right), second)
    assert second.size == first.size, "known answers count as well"
    second.truncate(3)
    assert (second.size, len(second.observations)) == (3 * 6, 3)

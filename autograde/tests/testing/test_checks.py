"""A check asks every submission the same questions, and reports the smallest failing one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autograde.client.errors import WorkerLostError
from autograde.client.student import Student
from autograde.testing import Mismatch, Oracle, check, tensors
from autograde.testing.checks import Check
from autograde.testing.drawing import MAX_SHRINKS, Test

StudentOf = Callable[[str], Student]
COUNTED = "asked = []\ndef f(x):\n    asked.append(x)\n    return "


def checked(test: Test, **options: float) -> Check:
    made: Check = check(points=1, **options)(test).check  # type: ignore[arg-type, attr-defined]
    return made


def below_ten(student: Student, x: int) -> None:
    """f of a small number is the number"""
    assert student.f(x) == x


def numbers(examples: int) -> Check:
    return checked(given(st.integers(0, 1000))(below_ten), examples=examples)


def test_checks_ask_every_submission_the_same(student_of: StudentOf) -> None:
    made = numbers(20)
    asked = []
    for _ in range(2):
        student = student_of(COUNTED + "x")
        made.run(student, 5)
        asked.append(student.value("asked"))
    assert asked[0] == asked[1]
    assert len(asked[0]) == 20


def test_checks_replay_the_smallest_failing_input(student_of: StudentOf) -> None:
    made = numbers(50)
    student = student_of(COUNTED + "x if x < 10 else 0")
    with pytest.raises(AssertionError):
        made.run(student, 5)
    assert made.replay == "f(10)"
    drawn = 2 * 50  # the drawn cases, and Hypothesis' own way to the first failure
    assert len(student.value("asked")) <= drawn + MAX_SHRINKS + 2


def test_checks_shrinking_starts_at_the_first_failing_case(student_of: StudentOf) -> None:
    made = numbers(50)
    student = student_of(COUNTED + "x if x < 10 else 0")
    with pytest.raises(AssertionError):
        made.run(student, 5)
    drawn = [case["x"] for case in made.cases]
    first = next(x for x in drawn if x >= 10)
    assert drawn.index(first) > 0
    assert student.value("asked")[:51] == [*drawn, first]


def test_checks_shrinking_stops_at_the_simplest_example(student_of: StudentOf) -> None:
    made = numbers(20)
    student = student_of(COUNTED + "-1")
    with pytest.raises(AssertionError):
        made.run(student, 5)
    assert made.replay == "f(0)"
    assert student.value("asked") == [*(case["x"] for case in made.cases), 0]


def test_checks_shrink_where_the_simplest_example_is_not_allowed(student_of: StudentOf) -> None:
    made = checked(given(st.integers(0, 1000).filter(bool))(below_ten), examples=20)
    with pytest.raises(AssertionError):
        made.run(student_of("def f(x):\n    return -1"), 5)
    assert made.replay == "f(1)"


@pytest.mark.parametrize("at", [1, 4, 20])
def test_checks_answer_that_is_wrong_only_once_is_wrong(student_of: StudentOf, at: int) -> None:
    made = numbers(20)
    with pytest.raises(AssertionError):
        made.run(student_of(COUNTED + f"-1 if len(asked) == {at} else x"), 5)
    assert made.replay == f"f({made.cases[at - 1]['x']})"


def test_checks_replayed_line_fails_the_same_way(student_of: StudentOf) -> None:
    oracle = Oracle(lambda x: x.square())

    @given(tensors((2, 3), dtype=torch.float16))
    def squares(student: Student, x: torch.Tensor) -> None:
        """squares"""
        oracle.compare(student.f(x), x)

    made = checked(squares, examples=5)
    with pytest.raises(Mismatch):
        made.run(student_of("def f(x):\n    return x * 3"), 5)
    seen: list[torch.Tensor] = []
    exec(made.replay, {"torch": torch, "f": seen.append})
    assert seen[0].dtype == torch.float16
    assert not torch.equal(seen[0] * 3, seen[0].square())


def test_checks_report_a_wrong_answer_rather_than_a_later_lost_worker(student_of: StudentOf) -> None:
    made = numbers(30)
    source = (
        "import os\ncount = 0\ndef f(x):\n    global count\n    count += 1\n    return os._exit(1) if count > 3 else -1"
    )
    with pytest.raises(AssertionError):
        made.run(student_of(source), 5)


def test_checks_report_a_lost_worker(student_of: StudentOf) -> None:
    made = numbers(5)
    with pytest.raises(WorkerLostError):
        made.run(student_of("import os\ndef f(x):\n    os._exit(1)"), 5)


def test_checks_own_mistake_is_no_fault_of_the_submission(student_of: StudentOf) -> None:
    @given(st.integers())
    def mistaken(student: Student, x: int) -> None:
        """a check with a bug"""
        student.f(x)
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        checked(mistaken).run(student_of("def f(x):\n    return x"), 5)


def test_checks_shrink_a_test_that_draws_interactively(student_of: StudentOf) -> None:
    @given(st.data())
    def interactive(student: Student, data: st.DataObject) -> None:
        """draws inside"""
        x = data.draw(st.integers(0, 100))
        assert student.f(x) == x

    made = checked(interactive)
    made.run(student_of("def f(x):\n    return x"), 5)
    with pytest.raises(AssertionError):
        made.run(student_of("def f(x):\n    return 5"), 5)


@pytest.mark.parametrize(
    ("points", "test", "said"),
    [
        (1, lambda student: None, "no docstring"),
        (-1, below_ten, "points >= 0"),
    ],
)
def test_checks_tell_the_author_what_is_missing(points: float, test: Test, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(points=points)(test)


def test_checks_draws_do_not_depend_on_loaded_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> list[int]:
        made = checked(given(st.integers())(below_ten), examples=300)
        return [case["x"] for case in made.draw(5)]

    before = drawn()
    (tmp_path / "loaded_by_chance.py").write_text("\n".join(f"N{n} = {n * 987_654_321}" for n in range(1, 99)))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("loaded_by_chance")
    assert drawn() == before

"""What test authors would otherwise write by hand: types, supplied functions, scopes, forms in float32, own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given

from autograde.client.student import Student
from autograde.testing import (
    Mismatch,
    Oracle,
    StudentError,
    Supplies,
    check,
    contract,
    expect_like,
    expect_parameters,
    tensors,
    through_float32,
    widened,
)
from autograde.testing.contract.repeated_calls import GLOBAL, RANDOM, REMEMBERS
from autograde.testing.decoys import KINDS
from autograde.testing.diagnosis import Evidence
from autograde.testing.trial import Trial, run_trial

StudentOf = Callable[..., Student]
X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]])


@pytest.mark.parametrize("kind", KINDS)
def test_expect_like_refuses_every_other_kind(kind: str) -> None:
    expect_like(X, X)
    with pytest.raises(Mismatch, match="the weights must") as raised:
        expect_like(KINDS[kind](X), X, "the weights", "H")
    assert raised.value.hint == "H"


@pytest.mark.parametrize("kind", KINDS)
def test_oracle_refuses_every_other_kind(kind: str) -> None:
    """Also where the answer is a tuple, a dict or a number."""
    for answer in (X, (X, X[0]), {"a": X}, 0.25):
        oracle = Oracle(lambda x, answer=answer: answer)
        oracle.compare(answer, X)
        with pytest.raises(Mismatch):
            oracle.compare(KINDS[kind](answer), X)


@pytest.mark.parametrize("wrong", [(X, X[0].double()), (X, X[:, 0]), (X.half(), X[0])])
def test_oracle_compares_dtype_and_shape_of_each_element(wrong: Any) -> None:
    with pytest.raises(Mismatch, match=r"the result\[[01]\] must"):
        Oracle(lambda x: (x, x[0])).compare(wrong, X)


def test_oracle_takes_words_of_the_check() -> None:
    oracle = Oracle(lambda x: x * 2)

    @oracle.misconception
    def tripled(x: torch.Tensor) -> torch.Tensor:
        """You triple."""
        return x * 3

    with pytest.raises(Mismatch, match="the labels") as plain:
        oracle.compare(X, X, what="the labels")
    assert plain.value.got
    with pytest.raises(Mismatch, match="too large") as own:
        oracle.compare(X, X, reason="too large", hint="H", shown=("got a", "expected b"))
    assert (own.value.hint, own.value.got, own.value.expected, own.value.compared) == ("H", "got a", "expected b", None)
    with run_trial(Trial()), pytest.raises(Mismatch) as named:
        oracle.compare(X * 3, X, hint="H")
    named.value.recognise()
    assert named.value.hint == "You triple."


def test_misconception_of_one_check_explains_that_check_only() -> None:
    oracle, evidence = Oracle(lambda x: x * 2), Evidence()

    @check(points=1)
    def test_large(student: Student) -> None:
        """large numbers"""

    @oracle.misconception(test_large)
    def capped(x: torch.Tensor) -> torch.Tensor:
        """You cap."""
        return (x * 2).clamp(max=10.0)

    with run_trial(Trial(evidence=evidence, check="test_small")):
        oracle.compare(200 * X, 100 * X)
        with pytest.raises(Mismatch) as elsewhere:
            oracle.compare(torch.full_like(X, 10.0), X + 100)
    with run_trial(Trial(evidence=evidence, check="test_large")), pytest.raises(Mismatch) as there:
        oracle.compare(torch.full_like(X, 10.0), X + 100)
    for raised, name in ((elsewhere, ""), (there, "capped")):
        raised.value.recognise()
        assert raised.value.misconception == name


def test_misconception_must_have_the_structure_of_the_answer() -> None:
    """The same numbers in other lists are another mistake."""
    oracle = Oracle(lambda n: [[1], [1, 2]])

    @oracle.misconception
    def starts_empty(n: int) -> list[list[int]]:
        """Your first stage is empty."""
        return [[], [1]]

    for got, name in (([[], [1]], "starts_empty"), (([], [1]), "starts_empty"), ([[1]], "")):
        with run_trial(Trial()), pytest.raises(Mismatch) as raised:
            oracle.compare(got, 2)
        raised.value.recognise()
        assert raised.value.misconception == name


supplies = Supplies(g=lambda x: x * 2)


@check(points=1, examples=3)
@given(tensors((3,)))
def test_supplied(student: Student, x: torch.Tensor) -> None:
    """a check of this file"""
    Oracle(lambda x: x * 2 + 1).compare(student.f(x), x)


test_supplied.__test__ = False  # type: ignore[attr-defined]  # a hidden test, not one of these


def test_supplies_are_given_to_every_example(student_of: StudentOf) -> None:
    student = student_of("def g(x):\n    raise NotImplementedError\ndef f(x):\n    return g(x) + 1")
    test_supplied.check.run(student, 3)  # type: ignore[attr-defined]


def test_through_float32_demands_the_dtype_and_not_more_digits() -> None:
    def cubed(x: torch.Tensor) -> torch.Tensor:
        return x**3

    x, exact, lenient = X.double() / 3, Oracle(cubed), Oracle(cubed, through_float32(cubed))
    lenient.compare((x.float() ** 3).double(), x)
    lenient.compare(x**3, x)
    with pytest.raises(Mismatch, match="must be torch.float64"):
        lenient.compare(x.float() ** 3, x)
    with pytest.raises(Mismatch, match="values wrong"):
        lenient.compare((x.half() ** 3).double(), x)
    with pytest.raises(Mismatch, match="values wrong"):
        exact.compare((x.float() ** 3).double(), x)


def test_widened_is_float32_at_least() -> None:
    dtypes = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    assert [widened(X.to(dtype)).dtype for dtype in dtypes] == [torch.float32] * 3 + [torch.float64]


@pytest.mark.parametrize("margin", [20.0, 40.0, 400.0])
def test_tolerance_has_a_floor_for_what_a_cancellation_leaves(margin: float) -> None:
    """The loss of a pair that is far apart is almost 0, and a right form of it rounds as coarsely as its inputs."""
    for dtype in (torch.float32, torch.float64):
        x = torch.tensor([margin], dtype=dtype)
        oracle = Oracle(lambda x: -torch.nn.functional.logsigmoid(x).mean())
        oracle.compare(torch.nn.functional.binary_cross_entropy_with_logits(x, torch.ones_like(x)), x)


MODULE = """
class L(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = {}
    def forward(self, x):
        return x
"""


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("torch.nn.Parameter(torch.randn(4, 6) / 6**0.5)", ""),
        ("torch.nn.Parameter(torch.rand(4, 6) - 0.5)", ""),
        ("torch.nn.Parameter(torch.zeros(4, 6))", "starts at 0 everywhere"),
        ("torch.nn.Parameter(torch.ones(4, 6))", "starts at 1 everywhere"),
        ("torch.nn.Parameter(torch.randn(4, 6) * 1e-6)", "far too small"),
        ("torch.nn.Parameter(torch.randn(4, 6) * 1e3)", "far too large"),
        ("torch.nn.Parameter(torch.full((4, 6), float('nan')))", "not finite"),
        ("torch.nn.Parameter(torch.randn(4, 6, dtype=torch.complex64))", "must hold floating numbers"),
    ],
)
def test_parameters_start_at_random(student_of: StudentOf, start: str, said: str) -> None:
    layer = student_of(MODULE.format(start)).L()
    if said:
        with pytest.raises(Mismatch, match=said):
            expect_parameters(layer, {"w": (4, 6)})
    else:
        expect_parameters(layer, {"w": (4, 6)})


@pytest.mark.parametrize(
    "body", ["x.sum(0).double()", "(x.mean() * 1000).round().long()", "x.sum(0).half()", "x.reshape(-1).sum()"]
)
def test_layout_is_not_blamed_for_rounding_in_a_cast_result(student_of: StudentOf, body: str) -> None:
    noisy = "1 + (0 if x.is_contiguous() else 2e-7)"
    student = student_of(f"def f(x):\n    x = x * ({noisy})\n    return {body}\ndef g(x):\n    return x.view(-1)")
    x = torch.linspace(1.0, 2.0, 24).reshape(4, 6)
    contract.noncontiguous_input(student.f, x)
    with pytest.raises(Mismatch, match="a non-contiguous input raised"):
        contract.noncontiguous_input(student.g, x)


def test_layout_is_not_blamed_for_an_error_of_any_input(student_of: StudentOf) -> None:
    with pytest.raises(StudentError, match="ZeroDivisionError"):
        contract.noncontiguous_input(student_of("def f(x):\n    return x / 0 if x is None else 1 / 0").f, X)


def test_two_calls_that_differ_are_told_apart_by_cause(student_of: StudentOf) -> None:
    source = (
        "calls = []\n"
        "class Random(torch.nn.Module):\n    def forward(self, x):\n        return x + torch.rand(3)\n"
        "class Counts(torch.nn.Module):\n    def forward(self, x):\n        calls.append(1)\n        return x + len(calls)\n"
        "def draws(generator):\n    return torch.rand(3)\n"
        "def counts(generator):\n    calls.append(1)\n    return torch.rand(3, generator=generator) + len(calls)\n"
    )
    student = student_of(source)
    for facet, target, args, hint in (
        (contract.deterministic_in_eval, student.Random(), (X,), RANDOM),
        (contract.deterministic_in_eval, student.Counts(), (X,), REMEMBERS),
        (contract.rng_only_from, student.draws, (), GLOBAL),
        (contract.rng_only_from, student.counts, (), REMEMBERS),
    ):
        with pytest.raises(Mismatch) as raised:
            facet(target, *args)
        assert raised.value.hint == hint


def test_all_of_asks_what_the_result_is_like(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    return None\ndef g(x):\n    return x.mul_(1.5)\ndef h(x):\n    return x * 2")
    contract.all_of(student.h, X, like=X)
    contract.all_of(student.f, X)
    with pytest.raises(Mismatch, match="must be a tensor, not None"):
        contract.all_of(student.f, X, like=X)
    with pytest.raises(Mismatch, match="was changed"):
        contract.all_of(student.g, X, like=X)

"""A missing gradient is explained by what the submission does: it cuts autograd off, or does not use the tensor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograde.client.dependence import CUT_OFF, UNUSED, depends_on
from autograde.client.student import Student
from autograde.testing import Mismatch, Oracle, contract

StudentOf = Callable[..., Student]
X, Y = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0])
MODULE = """
class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(3))
    def forward(self, x):
        return {}
"""


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ("x.detach() * y", CUT_OFF),
        ("x.data * y", CUT_OFF),
        ("torch.tensor(x.tolist()) * y", CUT_OFF),
        ("2 * y", UNUSED),
        ("torch.ones_like(x) * y", UNUSED),
    ],
)
def test_missing_gradient_of_an_argument(student_of: StudentOf, body: str, hint: str) -> None:
    student = student_of(f"def f(x, y):\n    return {body}")
    for ask in (
        lambda: contract.gradient_reaches_inputs(student.f, X, Y),
        lambda: Oracle(lambda x, y: x * y).compare_gradients(student.f, X, Y),
    ):
        with pytest.raises(Mismatch, match="no gradient reaches") as raised:
            ask()
        assert raised.value.hint == hint


@pytest.mark.parametrize(("body", "hint"), [("x * self.gain.detach()", CUT_OFF), ("x * 1", UNUSED)])
def test_missing_gradient_of_a_parameter(student_of: StudentOf, body: str, hint: str) -> None:
    student = student_of(MODULE.format(body))
    layer = student.Scale()
    with pytest.raises(Mismatch, match="parameter `gain`") as raised:
        contract.gradient_reaches_inputs(layer, X)
    assert raised.value.hint == hint
    with pytest.raises(Mismatch, match="`gain`") as raised:
        Oracle(lambda x, gain: x * gain).compare_gradients(layer, X, parameters={"gain": torch.ones(3)})
    assert raised.value.hint == hint
    assert torch.equal(layer.named_parameters()["gain"], torch.ones(3))


def test_gradients_of_parameters_are_compared_by_value(student_of: StudentOf) -> None:
    """Half of the gradient is cut off, which a check that asks only whether one arrives does not see."""
    oracle, gain = Oracle(lambda x, gain: x * gain), {"gain": torch.ones(3)}
    oracle.compare_gradients(student_of(MODULE.format("x * self.gain")).Scale(), X, parameters=gain)
    half = student_of(MODULE.format("x * (self.gain / 2 + self.gain.detach() / 2)")).Scale()
    contract.gradient_reaches_inputs(half, X)
    with pytest.raises(Mismatch, match="the gradient of `gain`"):
        oracle.compare_gradients(half, X, parameters=gain)


def test_gradients_are_those_of_a_module_built_with_a_size(student_of: StudentOf) -> None:
    """The reference and the misconceptions get the size, which the module has already."""
    oracle = Oracle(lambda x, gain, power: x**power * gain)

    @oracle.misconception
    def detaches_the_power(x: torch.Tensor, gain: torch.Tensor, power: int) -> torch.Tensor:
        """The power is cut off."""
        return x * (x ** (power - 1)).detach() * gain

    gain = {"gain": torch.ones(3)}
    square = student_of(MODULE.format("x ** 2 * self.gain")).Scale()
    oracle.compare_gradients(square, X, parameters=gain, built_with={"power": 2})
    with pytest.raises(Mismatch):
        oracle.compare_gradients(square, X, parameters=gain, built_with={"power": 3})
    detached = student_of(MODULE.format("x * x.detach() * self.gain")).Scale()
    with pytest.raises(Mismatch) as raised:
        oracle.compare_gradients(detached, X, parameters=gain, built_with={"power": 2})
    raised.value.recognise()
    assert raised.value.misconception == "detaches_the_power"


def test_dependence_is_unknown_where_other_numbers_raise(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    assert float(x[0]) == 1\n    return x")
    assert depends_on(student.f, (X,), {}, 0) is None


def test_gradient_of_another_kind_of_result_is_not_compared(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    return [x * 2]\ndef g(x):\n    return (x * 2).to(torch.complex64)")
    for function in (student.f, student.g):
        with pytest.raises(Mismatch, match="must be"):
            Oracle(lambda x: x * 2).compare_gradients(function, X)


def test_gradients_may_be_compared_with_a_reference_of_any_arguments(student_of: StudentOf) -> None:
    student = student_of("def f(x, y):\n    return x * y")
    oracle = Oracle(lambda *inputs: inputs[0] * inputs[1] * 2)
    with pytest.raises(Mismatch, match="the gradient of `argument 1`"):
        oracle.compare_gradients(student.f, X, Y)

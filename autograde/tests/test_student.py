"""What a hidden test may ask of a submission, asked of real ones across the border."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograde.asking.errors import StudentError, WorkerLostError
from autograde.asking.lent import MAX_ELEMENTS
from autograde.asking.student import Student
from autograde.testing import contract
from autograde.wire import WireError

StudentOf = Callable[..., Student]


def test_a_supplied_function_is_differentiable_by_keyword_too(student_of: StudentOf) -> None:
    student = student_of("def f(x, w):\n    return g(x, scale=w).sum()")
    student.supply(g=lambda x, scale: x**2 * scale)
    value, gradients = student.gradients(student.f, torch.tensor([3.0]), torch.tensor([2.0]))
    assert (value.item(), gradients[0].item(), gradients[1].item()) == (18, 12, 9)


def test_a_supplied_function_takes_part_on_another_device(student_of: StudentOf) -> None:
    source = (
        "def good(x):\n    return g(x) + torch.ones(2, device=x.device)\ndef bad(x):\n    return g(x) + torch.ones(2)\n"
        "def stub(x):\n    raise NotImplementedError"
    )
    student = student_of(source)
    student.supply(g=lambda x: x * 2)
    contract.follows_device(student.good, torch.ones(2))
    with pytest.raises(AssertionError, match="left on the CPU"):
        contract.follows_device(student.bad, torch.ones(2))
    with pytest.raises(StudentError, match="NotImplementedError"):
        contract.follows_device(student.stub, torch.ones(2))


def test_too_much_for_a_function_of_the_check_is_an_error_and_the_talk_goes_on(student_of: StudentOf) -> None:
    student = student_of(f"def f(g):\n    return g(torch.zeros({MAX_ELEMENTS + 1}))\ndef h():\n    return 1")
    with pytest.raises(StudentError, match="at most"):
        student.f(lambda x: x)
    assert student.h() == 1


def test_what_a_check_cannot_send_is_the_checks_mistake(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    return x")
    with pytest.raises(WireError):
        student.f(torch.ones(2).to_sparse())
    with pytest.raises(TypeError, match="a check passed a object"):
        student.f(object())
    assert student.f(1) == 1


def test_loading_a_state_leaves_what_it_does_not_name(student_of: StudentOf) -> None:
    source = (
        "class L(torch.nn.Module):\n def __init__(s):\n  super().__init__(); s.w = torch.nn.Parameter(torch.zeros(1))\n"
    )
    source += "  s.register_buffer('mask', torch.ones(2))\n def forward(s, x):\n  return x * s.w * s.mask"
    layer = student_of(source).L()
    layer.load_state_dict({"w": torch.tensor([3.0])})
    assert layer(torch.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("body", ["import ctypes; ctypes.string_at(0)", "while True: pass"])
def test_a_lost_worker_is_no_exception_that_a_search_would_shrink(student_of: StudentOf, body: str) -> None:
    with pytest.raises(WorkerLostError):
        student_of(f"def f():\n    {body}", wall_s=1).f()


def test_forged_gradients_are_the_submissions_own_loss(student_of: StudentOf) -> None:
    source = (
        "import sys\nwire = sys.modules['autograde.wire']\nold = wire.encode\n"
        "def forged(value, *rest):\n"
        "    return old({**value, 'gradients': 5} if 'gradients' in value else value, *rest)\n"
        "wire.encode = forged\ndef f(x):\n    return x * 2"
    )
    student = student_of(source)
    with pytest.raises(WorkerLostError, match="disturbed"):
        student.gradients(student.f, torch.ones(1))


def test_only_public_names_can_be_asked_for(student_of: StudentOf) -> None:
    with pytest.raises(AttributeError, match="public"):
        student_of("_f = 1")._f  # noqa: B018


def test_the_expected_exception_is_told_from_another_and_from_none(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    if x: raise [KeyError, ValueError][x - 1]('no')")
    with student.raises(ValueError):
        student.f(2)
    with student.raises(LookupError):
        student.f(1)
    with pytest.raises(AssertionError, match="raised KeyError"), student.raises(ValueError):
        student.f(1)
    with pytest.raises(AssertionError, match="raised nothing"), student.raises(ValueError):
        student.f(0)
    with pytest.raises(StudentError, match="defines no `g`"), student.raises(Exception):
        student.g(0)


def test_costs_are_counted(student_of: StudentOf) -> None:
    student = student_of("def f(x, n):\n    for _ in range(n): x = x @ x\n    return x")
    once, thrice = (student.cost(student.f, torch.eye(4), n) for n in (1, 3))
    assert thrice.flops == 3 * once.flops > 0
    assert sum(count for name, count in thrice.operations.items() if "mm" in name) == 3

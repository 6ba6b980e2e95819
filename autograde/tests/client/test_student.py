"""What a hidden test may ask of a submission, asked of real ones across the border."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograde.client.callbacks import MAX_ELEMENTS
from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.reproduction import render_calls
from autograde.client.student import Student
from autograde.testing import Oracle, contract
from autograde.testing.trial import Trial, run_trial
from autograde.wire import WireError

StudentOf = Callable[..., Student]


def test_callback_is_differentiable_by_keyword(student_of: StudentOf) -> None:
    student = student_of("def f(x, w):\n    return g(x, scale=w).sum()")
    student.supply(g=lambda x, scale: x**2 * scale)
    value, gradients = student.gradients(student.f, torch.tensor([3.0]), torch.tensor([2.0]))
    assert (value.item(), gradients[0].item(), gradients[1].item()) == (18, 12, 9)


def test_callback_works_on_another_device(student_of: StudentOf) -> None:
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


def test_callback_arguments_that_are_too_large_raise_an_error(student_of: StudentOf) -> None:
    """The error is the submission's, and the exchange goes on."""
    student = student_of(f"def f(g):\n    return g(torch.zeros({MAX_ELEMENTS + 1}))\ndef h():\n    return 1")
    with pytest.raises(StudentError, match="at most"):
        student.f(lambda x: x)
    assert student.h() == 1


def test_student_blames_the_check_for_values_that_cannot_be_sent(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    return x")
    with pytest.raises(WireError):
        student.f(torch.ones(2).to_sparse())
    with pytest.raises(TypeError, match="a check passed a object"):
        student.f(object())
    assert student.f(1) == 1


def test_student_load_keeps_tensors_that_the_state_does_not_name(student_of: StudentOf) -> None:
    source = (
        "class L(torch.nn.Module):\n def __init__(s):\n  super().__init__(); s.w = torch.nn.Parameter(torch.zeros(1))\n"
    )
    source += "  s.register_buffer('mask', torch.ones(2))\n def forward(s, x):\n  return x * s.w * s.mask"
    layer = student_of(source).L()
    layer.load_state_dict({"w": torch.tensor([3.0])})
    assert layer(torch.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("body", ["import ctypes; ctypes.string_at(0)", "while True: pass"])
def test_student_lost_worker_is_not_shrunk(student_of: StudentOf, body: str) -> None:
    """A lost worker raises no exception for which Hypothesis would search a smaller example."""
    with pytest.raises(WorkerLostError):
        student_of(f"def f():\n    {body}", wall_s=1).f()


FORGED = """
import sys
wire = sys.modules['autograde.wire']
old = wire.encode
def forged(value, *rest):
    return old({{**value, {key!r}: {instead}}} if {key!r} in value else value, *rest)
wire.encode = forged
def f(x):
    return x * 2
"""
ASKED: dict[str, Callable[[Student], object]] = {
    "gradients": lambda student: contract.gradient_reaches_inputs(student.f, torch.ones(1)),
    "called": lambda student: contract.written_by_hand(student.f, torch.ones(1), without=["aten::mul"], rule=""),
    "operations": lambda student: student.cost(student.f, torch.ones(1)),
    "flops": lambda student: student.cost(student.f, torch.ones(1)),
    "changed": lambda student: contract.input_unchanged(student.f, torch.ones(1)),
}


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("gradients", "5"), ("gradients", "{None: None}"), ("gradients", "{(1, 2): None}"), ("called", "5"),
        ("called", "[[1]]"), ("called", "['aten::add']"), ("operations", "{'mm': 'many'}"), ("operations", "{1: 2}"),
        ("flops", "True"), ("changed", "{}"),
    ],
)  # fmt: skip
def test_student_forged_reply_fails_the_submission(student_of: StudentOf, key: str, instead: str) -> None:
    """It may not look like a broken check, which would withhold the report."""
    student = student_of(FORGED.format(key=key, instead=instead))
    with pytest.raises(WorkerLostError, match="disturbed"):
        ASKED[key](student)


def test_student_gradients_are_none_for_a_frozen_parameter(student_of: StudentOf) -> None:
    source = (
        "class L(torch.nn.Module):\n def __init__(s):\n  super().__init__(); s.w = torch.nn.Parameter(torch.ones(1))\n"
        "  s.table = torch.nn.Parameter(torch.ones(1), requires_grad=False)\n"
        " def forward(s, x):\n  return x * s.w * s.table"
    )
    student = student_of(source)
    _, gradients = student.gradients(student.L(), torch.full((1,), 3.0))
    assert gradients["table"] is None
    assert (gradients["w"].item(), gradients[0].item()) == (3, 1)


FLOOD = """
import os, sys
def f(g):
    frame = sys._getframe()
    while type(frame.f_locals.get("self")).__name__ != "RpcServer":
        frame = frame.f_back
    question = sys.modules["autograde.wire"].encode({"callback": 0, "args": (), "kwargs": {}, "cotangents": None})
    while True:
        os.write(frame.f_locals["self"].channel.write_fd, question * 500)
"""


def test_student_endless_callbacks_end_at_the_deadline_of_the_check(student_of: StudentOf) -> None:
    """Written ahead of the answers they never let the grader wait, so no wait is there to end."""
    start = time.monotonic()
    with pytest.raises(WorkerLostError) as lost:
        student_of(FLOOD, wall_s=1).f(lambda: time.sleep(0.01))
    assert lost.value.timed_out
    assert time.monotonic() - start < 20  # without a look at the clock: 100 000 answers of 10 ms each


@pytest.mark.parametrize("number", ["2**80", "-(2**80)", "10**1000"])
def test_student_number_beyond_any_dtype_is_a_wrong_answer(student_of: StudentOf, number: str) -> None:
    student, oracle = student_of(f"def f(x):\n    return {number}"), Oracle(lambda x: float(x.sum()))
    with run_trial(Trial(student)) as trial, pytest.raises(Mismatch, match="the result is wrong"):
        oracle.compare(student.f(torch.ones(2)), torch.ones(2))
    assert [function for (_, function), _ in trial.evidence.observations] == ["f"]


def test_student_refuses_private_names(student_of: StudentOf) -> None:
    with pytest.raises(AttributeError, match="public"):
        student_of("_f = 1")._f  # noqa: B018


def test_student_raises_distinguishes_another_exception_and_none(student_of: StudentOf) -> None:
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


def test_student_cost_is_counted(student_of: StudentOf) -> None:
    student = student_of("def f(x, n):\n    for _ in range(n): x = x @ x\n    return x")
    once, thrice = (student.cost(student.f, torch.eye(4), n) for n in (1, 3))
    assert thrice.flops == 3 * once.flops > 0
    assert sum(count for name, count in thrice.operations.items() if "mm" in name) == 3


def test_student_seed_keeps_objects_and_callbacks(student_of: StudentOf) -> None:
    """Only the random numbers start again: what the example has made and supplied stays."""
    source = (
        "class C:\n    def __init__(s): s.n = 3\ndef g(x):\n    return x\ndef f(x):\n    return g(x) + torch.rand(())"
    )
    student = student_of(source)
    thing = student.C()
    student.supply(g=lambda x: x * 2)
    drawn = []
    for seed in (5, 5, 6):
        student.seed(seed)
        drawn.append(student.f(torch.tensor(10.0)).item())
    assert thing.n == 3
    assert drawn[0] == drawn[1] != drawn[2]
    assert min(drawn) >= 20


def test_reproduction_contains_the_seed(student_of: StudentOf) -> None:
    """Without it the pasted calls would draw other numbers."""
    student = student_of("def f():\n    return torch.rand(())")
    student.seed(5)
    student.f()
    assert render_calls(student._rpc.reproduction.lines) == "torch.manual_seed(5)\nf()"


FORGOTTEN_CALL = """
class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.query = torch.nn.Linear(2, 2)
        self.experts = torch.nn.ModuleList([torch.nn.Linear(2, 2)])
    def forward(self, x):
        return weights(self.query, x)
    def right(self, x):
        return mixture(x, self.experts)
"""


@pytest.mark.parametrize(
    "function",
    [
        lambda q, x: q @ x,
        lambda q, x: q.mT + x,
        lambda q, x: q(x),
        lambda q, x: torch.softmax(q, -1),
        lambda q, x: x[q],
    ],
)
def test_callback_that_receives_an_object_says_so_at_once(student_of: StudentOf, function: Callable[..., Any]) -> None:
    """The error is the student's and names the line; nothing waits for the check's time limit."""
    function.__name__ = "weights"
    student = student_of(FORGOTTEN_CALL, wall_s=20)
    start = time.monotonic()
    student.supply(weights=function)
    head = student.Head()
    with pytest.raises(
        StudentError, match="`weights` received an object of yours; did you forget to call it"
    ) as raised:
        head(torch.ones(2))
    assert time.monotonic() - start < 10
    assert raised.value.frames
    assert render_calls(head._rpc.reproduction.lines).splitlines()[-1].startswith("head_1(")


def test_callback_may_be_passed_an_object_that_it_leaves_alone(student_of: StudentOf) -> None:
    student = student_of(FORGOTTEN_CALL)
    student.supply(mixture=lambda x, experts: 2 * x)
    assert student.Head().right(torch.ones(2)).tolist() == [2, 2]


@pytest.mark.parametrize("thing", [dict, 3])
def test_supply_takes_functions_only(student_of: StudentOf, thing: object) -> None:
    with pytest.raises(TypeError, match=r"supply\(f=...\) got .*; supply a function that returns one tensor"):
        student_of("").supply(f=thing)


def test_hint_is_given_only_if_the_plain_case_works(student_of: StudentOf) -> None:
    student = student_of("def f(x):\n    return x[0]\ndef stub():\n    raise NotImplementedError")
    student._earlier = {"test_plain": True, "test_other": False}

    def plain() -> None: ...

    def other() -> None: ...

    plain.__name__, other.__name__ = "test_plain", "test_other"
    with (
        pytest.raises(Mismatch, match="an empty list raised IndexError") as given,
        student.hint("H", case="an empty list"),
    ):
        student.f([])
    assert (given.value.hint, bool(given.value.traceback)) == ("H", True)
    with pytest.raises(Mismatch), student.hint("H", after=plain):
        student.f([])
    for passing in ({"after": other}, {"plain": lambda: student.f([])}):
        with pytest.raises(StudentError), student.hint("H", **passing):
            student.f([])
    with pytest.raises(Mismatch), student.hint("H", after=other, plain=lambda: student.f([1])):
        student.f([])
    with pytest.raises(StudentError, match="defines no `g`"), student.hint("H"):
        student.g()
    with pytest.raises(StudentError, match="NotImplementedError"), student.hint("H"):
        student.stub()


def test_hint_does_not_replace_one_that_is_more_specific(student_of: StudentOf) -> None:
    student = student_of("")
    student._earlier = {"test_plain": True}
    for own, wanted in (("own", "own"), ("", "H")):
        with pytest.raises(Mismatch) as raised, student.hint("H"):
            raise Mismatch("wrong", own)
        assert raised.value.hint == wanted


def test_raises_lets_a_stub_and_a_missing_name_pass(student_of: StudentOf) -> None:
    student = student_of(
        "def stub():\n    raise NotImplementedError\ndef half():\n    raise NotImplementedError('Half')"
    )
    with pytest.raises(StudentError), student.raises(ValueError, hint="H"):
        student.stub()
    with pytest.raises(StudentError), student.raises(ValueError, hint="H"):
        student.missing()


def test_stub_is_told_from_what_torch_does_not_implement(student_of: StudentOf) -> None:
    source = "class M(torch.nn.Module):\n    pass\ndef stub():\n    raise NotImplementedError('later')\n"
    student = student_of(source + "def g(x):\n    return torch.ops.aten.nonsense_like(x)\n")
    with pytest.raises(StudentError) as stub:
        student.stub()
    with pytest.raises(StudentError) as forward:
        student.M()(torch.ones(2))
    assert stub.value.not_written
    assert forward.value.types[0] == "NotImplementedError"
    assert not forward.value.not_written


def test_module_sets_weights_and_silences_the_rest(student_of: StudentOf) -> None:
    source = (
        "class Head(torch.nn.Module):\n    def __init__(self, n):\n        super().__init__()\n"
        "        self.proj = torch.nn.Linear(n, 1)\n    def forward(self, x):\n        return self.proj(x), self.training"
    )
    student = student_of(source)
    value, training = student.module("Head", 2, weights={"proj.weight": torch.ones(1, 2)})(torch.tensor([1.0, 2.0]))
    assert (value.item(), training) == (3, False)
    with pytest.raises(
        Mismatch, match="`w` is missing; your module has `proj.bias`, `proj.weight`|`proj.weight`, `proj.bias`"
    ):
        student.module("Head", 2, weights={"w": torch.ones(1, 2)})
    with pytest.raises(Mismatch, match=r"`proj.weight` must have shape \(2, 2\), but yours has \(1, 2\)"):
        student.module("Head", 2, weights={"proj.weight": torch.ones(2, 2)})

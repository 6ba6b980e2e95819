"""Each facet accepts a good function and says what is wrong with a bad one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from autograde.client.errors import StudentError
from autograde.client.student import Student
from autograde.testing import Mismatch, builtin_operators, contract, expect_parameters
from autograde.tests.conftest import Run

MODULE = "class L(torch.nn.Module):\n def __init__(s):\n  super().__init__()\n  {}\n def forward(s, x):\n  return {}"
WEIGHT = "s.w = torch.nn.Parameter(torch.ones(2))"
X = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])

FACETS: list[tuple[Any, str, str, str]] = [
    (contract.input_unchanged, "x * 2", "x.mul_(2)", "was changed"),
    (contract.no_alias, "x.t().clone()", "x.t()", "shares its memory"),
    (contract.same_dtype, "x * 2", "x.double()", "the result is torch.float64"),
    (contract.follows_device, "x + torch.ones(3, device=x.device)", "x + torch.ones(3)", "left on the CPU"),
    (
        contract.gradient_reaches_inputs,
        "x * 2",
        "x.detach() * torch.ones(3, requires_grad=True)",
        "no gradient reaches",
    ),
    (contract.noncontiguous_input, "x.reshape(-1)", "x.view(-1)", "non-contiguous"),
    (contract.leading_dimensions, "x - x.mean(-1, keepdim=True)", "x - x.mean(0, keepdim=True)", "one by one"),
]


@pytest.mark.parametrize(("facet", "good", "bad", "said"), FACETS)
def test_contract_facet_holds_for_a_good_function_only(
    student_of: Callable[[str], Student], facet: Any, good: str, bad: str, said: str
) -> None:
    student = student_of(f"def good(x):\n    return {good}\ndef bad(x):\n    return {bad}")
    facet(student.good, X)
    with pytest.raises(Mismatch, match=said) as caught:
        facet(student.bad, X)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("drop", "good"),
    [
        ("torch.nn.functional.dropout(x, 0.5, s.training)", True),
        ("torch.nn.functional.dropout(x, 0.5)", False),
        ("(x,) if vars(s).setdefault('called', []).append(1) or len(s.called) > 1 else (x, x)", False),
    ],
)
def test_contract_eval_mode_is_deterministic(student_of: Callable[[str], Student], drop: str, good: bool) -> None:
    layer = student_of(MODULE.format("pass", drop)).L()
    if good:
        contract.deterministic_in_eval(layer, torch.ones(50))
    else:
        with pytest.raises(Mismatch, match="differ"):
            contract.deterministic_in_eval(layer, torch.ones(50))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_contract_deterministic_in_eval_allows_rounding_and_no_dropout(
    student_of: Callable[[str], Student], dtype: torch.dtype
) -> None:
    """Where kernels add in no fixed order, as on a GPU, two calls of a right module differ in the last places."""
    calls = "len(vars(s).setdefault('called', [])) or s.called.append(1) or 0"
    rounds = MODULE.format("pass", f"x * (1 + ({calls}) * torch.finfo(x.dtype).eps)")
    contract.deterministic_in_eval(student_of(rounds).L(), torch.ones(50, dtype=dtype))
    drops = MODULE.format("pass", "torch.nn.functional.dropout(x, 0.2)")
    with pytest.raises(Mismatch, match="differ"):
        contract.deterministic_in_eval(student_of(drops).L(), torch.ones(50, dtype=dtype))


def test_contract_randomness_comes_from_the_generator(student_of: Callable[[str], Student]) -> None:
    source = (
        "def good(n, generator):\n    return torch.randn(n, generator=generator)\n"
        "def bad(n, generator):\n    return torch.randn(n)\n"
        "def many(n, generator):\n    return [torch.ones(())] * int(torch.randint(1, 900, ()))"
    )
    student = student_of(source)
    contract.rng_only_from(student.good, 4)
    for function in (student.bad, student.many):
        with pytest.raises(Mismatch, match="same generator"):
            contract.rng_only_from(function, 4)


@pytest.mark.parametrize(
    ("owns", "said"),
    [
        (WEIGHT, ""),
        ("s.w = torch.ones(2)", "`w` is a plain tensor or a buffer, not a parameter"),
        ("s.register_buffer('w', torch.ones(2))", "`w` is a plain tensor or a buffer, not a parameter"),
        ("s.v = torch.nn.Parameter(torch.ones(2))", "`w` is missing; your module has `v`"),
        ("pass", "`w` is missing; your module has none"),
        (WEIGHT + "; s.l = torch.nn.Linear(2, 2)", "`l.bias`, `l.weight` should not be there"),
        ("s.w = torch.nn.Parameter(torch.ones(3))", "must have shape (2,), but yours has (3,)"),
        ("s.w = torch.nn.Parameter(torch.zeros(2))", "does not start at"),
    ],
)
def test_contract_expect_parameters(student_of: Callable[[str], Student], owns: str, said: str) -> None:
    layer = student_of(MODULE.format(owns, "x")).L()
    if not said:
        expect_parameters(layer, {"w": torch.ones(2)})
        return
    with pytest.raises(Mismatch) as caught:
        expect_parameters(layer, {"w": torch.ones(2)})
    assert said in caught.value.reason
    assert caught.value.hint


SHORTCUTS = [
    "torch.softmax(x, -1)",
    "x.softmax(-1)",
    "torch.nn.functional.softmax(x, dim=-1)",
    "torch.nn.Softmax(-1)(x)",
    "torch.ops.aten._softmax(x, -1, False)",
    "getattr(torch, 'soft' + 'max')(x, -1)",
    "torch.nn.functional.scaled_dot_product_attention(x[None], torch.eye(3)[None], torch.eye(3)[None], scale=1.0)[0]",
    "torch._C._nn.scaled_dot_product_attention(x[None], torch.eye(3)[None], torch.eye(3)[None], scale=1.0)[0]",
    "in_a_thread(lambda: x.softmax(-1))",
    "without_modes(lambda: x.softmax(-1))",
    "caught(lambda: x.softmax(-1), x)",
]
WAYS_AROUND = """
import threading
def in_a_thread(f):
    found = []
    thread = threading.Thread(target=lambda: found.append(f()))
    thread.start()
    thread.join()
    return found[0]
def without_modes(f):
    with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunction():
        return f()
def caught(f, x):
    try:
        return f()
    except Exception:
        return x
"""
BY_HAND = ["aten::_softmax", "aten::scaled_dot_product_attention"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_contract_finds_a_builtin_operator_in_every_spelling(
    student_of: Callable[[str], Student], shortcut: str
) -> None:
    student = student_of(f"{WAYS_AROUND}\ndef f(x):\n    return {shortcut}")
    with pytest.raises(Mismatch, match="your code calls torch's own `(softmax|scaled_dot_product_attention)`") as found:
        contract.written_by_hand(student.f, X, without=BY_HAND, rule="Write it yourself.")
    assert found.value.hint == "Write it yourself."
    student.f(X)  # and afterwards torch is whole again


ATTENTIONS = [
    "F.scaled_dot_product_attention(x, x, x)",
    "torch.ops.aten.scaled_dot_product_attention.default(x, x, x)",
    "torch._C._nn.scaled_dot_product_attention(x, x, x)",
    "alias(x, x, x)",
    "getattr(F, 'scaled_dot_' + 'product_attention')(x, x, x)",
    "torch.vmap(F.scaled_dot_product_attention)(x[None], x[None], x[None])[0]",
    "torch.func.grad(lambda y: F.scaled_dot_product_attention(y, x, x).sum())(x)",
    "torch.compile(F.scaled_dot_product_attention, backend='eager')(x, x, x)",
    "torch.jit.trace(lambda y: F.scaled_dot_product_attention(y, y, y), x)(x)",
    "torch._scaled_dot_product_attention_math(x, x, x)[0]",
    "torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*[x[None, None]] * 3)[0]",
    "torch.nn.MultiheadAttention(3, 1)(x, x, x)[0]",
    "torch.nn.MultiheadAttention(3, 1)(x, x, x, need_weights=False)[0]",
    "torch.no_grad()(torch.nn.MultiheadAttention(3, 1).eval())(x, x, x)[0]",
    "torch.no_grad()(torch.nn.TransformerEncoderLayer(3, 1, 4, batch_first=True).eval())(x[None])[0]",
    "torch.nn.TransformerEncoderLayer(3, 1, 4)(x)",
    "flex_attention.flex_attention(*[x[None, None]] * 3)",
]
ALIASES = "F = torch.nn.functional\nalias = F.scaled_dot_product_attention\nimport torch.nn.attention.flex_attention as flex_attention\n"


@pytest.mark.filterwarnings("ignore")
def test_contract_finds_the_attention_of_torch_in_every_spelling(run: Run) -> None:
    defined = "".join(f"def f{number}(x):\n    return {way}\n" for number, way in enumerate(ATTENTIONS))
    by_hand = "def own(x):\n    return (x @ x.mT / x.shape[-1] ** 0.5).softmax(-1) @ x\n"
    with run("import torch\n" + ALIASES + defined + by_hand, checks=1, cell_wall_s=30, check_cpu_s=60) as running:
        assert running.cells[0].error == ""
        with running.check(0) as channel:
            student = Student(channel, wall_s=120)
            unnoticed = []
            for number, way in enumerate(ATTENTIONS):
                try:
                    contract.written_by_hand(
                        getattr(student, f"f{number}"), X, without=builtin_operators.ATTENTION, rule="Write it."
                    )
                    unnoticed.append(way)
                except Mismatch as found:
                    assert found.hint == "Write it."
            assert unnoticed == []
            contract.written_by_hand(student.own, X, without=builtin_operators.ATTENTION, rule="Write it.")
            student.f11(X)  # and afterwards torch is whole again


READY_MADE = [
    (builtin_operators.RMS_NORM, ["torch.nn.functional.rms_norm(x, (3,))", "torch.nn.RMSNorm(3)(x)"]),
    (
        builtin_operators.LAYER_NORM,
        ["torch.layer_norm(x, (3,))", "torch.native_layer_norm(x, (3,), None, None, 1e-5)[0]"],
    ),
    (
        builtin_operators.SILU,
        ["torch.nn.SiLU()(x)", "torch.vmap(torch.nn.functional.silu)(x)", "torch.ops.aten.silu_(x * 1)"],
    ),
]


@pytest.mark.parametrize(("without", "way"), [(names, way) for names, ways in READY_MADE for way in ways])
def test_contract_finds_builtin_layers(
    student_of: Callable[[str], Student], without: tuple[str, ...], way: str
) -> None:
    student = student_of(f"def f(x):\n    return {way}")
    with pytest.raises(Mismatch, match="your code calls torch's own"):
        contract.written_by_hand(student.f, X, without=without, rule="Write it.")


def test_contract_accepts_what_is_written_by_hand(student_of: Callable[[str], Student]) -> None:
    student = student_of(
        "def f(x):\n    e = (x - x.amax(-1, keepdim=True)).exp()\n    return e / e.sum(-1, keepdim=True)"
    )
    contract.written_by_hand(student.f, X, without=[*BY_HAND, "autograd"], rule="Write it yourself.")


@pytest.mark.parametrize(
    "way", ["y.sum().backward()", "torch.autograd.grad(y.sum(), x)", "torch.func.vjp(lambda x: x * 2, x)[1](x)"]
)
def test_contract_can_ban_autograd(student_of: Callable[[str], Student], way: str) -> None:
    student = student_of(f"def f(x):\n    x = x.clone().requires_grad_()\n    y = x * 2\n    {way}\n    return x")
    with pytest.raises(Mismatch, match="`autograd`"):
        contract.written_by_hand(student.f, X, without=["autograd"], rule="Derive it.")


@pytest.mark.parametrize("body", ["random.random()", "[random.randrange(900)]", "str(random.random())"])
def test_contract_rng_only_from_compares_results_that_are_no_tensors(
    student_of: Callable[[str], Student], body: str
) -> None:
    """A number, a list of numbers or a text that is drawn from a global generator differs between the two calls."""
    student = student_of(f"import random\ndef f(generator):\n    return {body}")
    with pytest.raises(Mismatch, match="same generator"):
        contract.rng_only_from(student.f)


@pytest.mark.parametrize("drawn", ["random.random()", "str(random.random())"])
def test_contract_deterministic_in_eval_compares_results_that_are_no_tensors(
    student_of: Callable[[str], Student], drawn: str
) -> None:
    """A random number that is no tensor is random all the same."""
    layer = student_of("import random\n" + MODULE.format("pass", drawn)).L()
    with pytest.raises(Mismatch, match="differ"):
        contract.deterministic_in_eval(layer, X)


def test_contract_deterministic_in_eval_accepts_nan(student_of: Callable[[str], Student]) -> None:
    """Two NaN at one position are the same result, as in a row of attention that is masked altogether."""
    layer = student_of(MODULE.format("pass", "x * float('nan')")).L()
    contract.deterministic_in_eval(layer, X)


def test_contract_deterministic_in_eval_compares_dtypes(student_of: Callable[[str], Student]) -> None:
    """The same numbers in another dtype are another result."""
    twice = "x.double() if vars(s).setdefault('n', []).append(1) or len(s.n) > 1 else x"
    with pytest.raises(Mismatch, match="differ"):
        contract.deterministic_in_eval(student_of(MODULE.format("pass", twice)).L(), X)


@pytest.mark.parametrize(
    "result",
    ["x[x > 1]", "[x] * int(x.sum() + 9)", "None if x.dim() > 1 else x", "x.sum().item()", "str(x.shape)"],
)
def test_contract_leading_dimensions_refuses_whatever_the_members_return(
    student_of: Callable[[str], Student], result: str
) -> None:
    """Members whose results have no common shape or are no tensors are the student's mistake, not a broken check."""
    student = student_of(f"def f(x):\n    return {result}")
    with pytest.raises(Mismatch, match="one by one"):
        contract.leading_dimensions(student.f, X)


@pytest.mark.parametrize("result", ["(x * 2, 7, 'name', None)", "{'twice': x * 2, 'f': f}"])
def test_contract_leading_dimensions_accepts_what_is_the_same_for_every_member(
    student_of: Callable[[str], Student], result: str
) -> None:
    """A constant beside the tensors has no batch; an object that stays with the student is not compared."""
    contract.leading_dimensions(student_of(f"def f(x):\n    return {result}").f, X)


@pytest.mark.parametrize("facet", [contract.leading_dimensions, contract.same_dtype])
def test_contract_facet_without_a_tensor_says_so(student_of: Callable[[str], Student], facet: Any) -> None:
    """The check's author reads which argument is missing."""
    with pytest.raises(ValueError, match="needs a .*tensor.* among its"):
        facet(student_of("def f(x):\n    return x").f, 3)


def test_contract_noncontiguous_input_compares_numbers(student_of: Callable[[str], Student]) -> None:
    """A result that is a number depends on the layout as a tensor does."""
    student = student_of("def f(x):\n    return x.stride(0)")
    with pytest.raises(Mismatch, match="non-contiguous"):
        contract.noncontiguous_input(student.f, X)


def test_contract_gradient_reaches_inputs_names_a_keyword_argument(student_of: Callable[[str], Student]) -> None:
    """A keyword argument of a function is no parameter of a module."""
    student = student_of("def f(x, scale):\n    return x * scale.detach()")
    with pytest.raises(Mismatch, match="no gradient reaches argument `scale`"):
        contract.gradient_reaches_inputs(student.f, X, scale=torch.ones(3))


def test_contract_expect_parameters_refuses_a_frozen_one(student_of: Callable[[str], Student]) -> None:
    """A parameter that does not require gradients is not trained."""
    layer = student_of(MODULE.format(WEIGHT + ".requires_grad_(False)", "x")).L()
    with pytest.raises(Mismatch, match="`w` is frozen") as caught:
        expect_parameters(layer, {"w": (2,)})
    assert caught.value.hint


MIXES_DEVICES = [
    "torch.cat([x, torch.zeros(1, 3)])",
    "x.masked_fill(torch.ones(3).bool(), 0.0)",
    "torch.where(torch.ones(3).bool(), x, 0.0)",
    "torch.nn.functional.layer_norm(x, (3,), torch.ones(3))",
    "torch.nn.functional.scaled_dot_product_attention(x[None], x[None], x[None], attn_mask=torch.ones(2, 2).bool())",
    "torch.vmap(lambda row: row + torch.ones(3))(x)",
    "torch.func.grad(lambda y: (y * torch.ones(3)).sum())(x)",
    "torch.zeros(2, 3).scatter_add(0, torch.zeros(2, 3, device=x.device).long(), x)",
]
KEEPS_DEVICE = [
    "x * torch.tensor(2.0)",
    "x[torch.tensor([0])]",
    "x * float(x.sum())",
    "x * torch.tensor(x.sum().item(), device=x.device)",
    "x[x > 0]",
    "x if x.is_meta else torch.from_numpy(x.numpy())",
]


@pytest.mark.parametrize("mixed", MIXES_DEVICES)
def test_contract_follows_device_finds_mixed_devices(student_of: Callable[[str], Student], mixed: str) -> None:
    """Whichever function of torch fails for it, and whatever its message says."""
    student = student_of(f"def f(x):\n    return {mixed}")
    with pytest.raises(Mismatch, match="left on the CPU"):
        contract.follows_device(student.f, X)


@pytest.mark.parametrize("good", KEEPS_DEVICE)
def test_contract_follows_device_accepts_numbers_and_indices(student_of: Callable[[str], Student], good: str) -> None:
    """A number and an index may be on the CPU, and code that needs values cannot run on the meta device."""
    contract.follows_device(student_of(f"def f(x):\n    return {good}").f, X)


def test_contract_follows_device_reads_no_message(student_of: Callable[[str], Student]) -> None:
    """An exception of the student's own is not taken for torch's, whatever its text."""
    says = "raise ValueError('expected all tensors on the same device')"
    student = student_of(f"def late(x):\n    if x.is_meta:\n        {says}\n    return x\ndef early(x):\n    {says}")
    contract.follows_device(student.late, X)
    with pytest.raises(StudentError, match="same device"):
        contract.follows_device(student.early, X)

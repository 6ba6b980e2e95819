"""Facets that one call shows: what it does with its arguments, and what its result is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.calls import Target, find_banned_calls, find_devices, request_gradients, run_call, watch_call
from autograde.client.dependence import explain_no_gradient
from autograde.client.mismatch import Mismatch
from autograde.client.reproduction import Way


def input_unchanged(target: Target, *args: Any, **kwargs: Any) -> None:
    """The call changes no tensor among its arguments.

    Tensors inside lists, tuples and dicts count too. A list or dict that the call itself changes is not noticed.

    Example:
        # In the notebook
        def double(x):
            return x.mul_(2)

        # In the hidden test
        @check(points=1)
        @given(tensors((3,)))
        def test_input(student, x):
            '''the input is left unchanged'''
            contract.input_unchanged(student.double, x)

        # A student reads
        # tensor argument 1 was changed by the call
        # hint: Your code writes into its input. Operations ending in `_`, `+=`, `x[...] =` do that; make a new tensor.
    """
    changed, _ = watch_call(target, args, kwargs)
    _expect_none(
        changed,
        "{argument} was changed by the call",
        "Your code writes into its input. Operations ending in `_`, `+=`, `x[...] =` do that; make a new tensor.",
    )


def no_alias(target: Target, *args: Any, **kwargs: Any) -> None:
    """The result shares no memory with a tensor argument: it is not the argument itself, nor a view of it.

    Example:
        # In the notebook
        def first_half(x):
            return x[..., : x.shape[-1] // 2]

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 4)))
        def test_memory(student, x):
            '''the result is a tensor of its own'''
            contract.no_alias(student.first_half, x)

        # A student reads
        # the result shares its memory with tensor argument 1
        # hint: You return a view of the input: who changes one changes the other. Return a tensor of its own.
    """
    _, shared = watch_call(target, args, kwargs, Way.UNSHARED)
    _expect_none(
        shared,
        "the result shares its memory with {argument}",
        "You return a view of the input: who changes one changes the other. Return a tensor of its own.",
    )


def same_dtype(target: Target, *args: Any, **kwargs: Any) -> None:
    """Every floating tensor of the result has the dtype of the first floating tensor argument; ValueError if none is.

    Draw the input in float16, bfloat16 or float64, because torch promotes to float32 by default.

    Example:
        # In the notebook
        def rms(x):
            return x.float().square().mean(-1).sqrt()

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 4), dtype=torch.bfloat16))
        def test_dtype(student, x):
            '''bfloat16 in, bfloat16 out'''
            contract.same_dtype(student.rms, x)

        # A student reads
        # for torch.bfloat16 input the result is torch.float32
        # hint: The result has another dtype than the input. Cast back with `.to(x.dtype)` at the end.
    """
    wanted = next((arg.dtype for arg in _tensors([args, kwargs]) if arg.is_floating_point()), None)
    if wanted is None:
        raise ValueError("same_dtype needs a floating tensor among its arguments")
    for tensor in _tensors(target(*args, **kwargs)):
        if tensor.is_floating_point() and tensor.dtype != wanted:
            raise Mismatch(
                f"for {wanted} input the result is {tensor.dtype}",
                "The result has another dtype than the input. Cast back with `.to(x.dtype)` at the end.",
                is_fact=True,
            )


def follows_device(target: Target, *args: Any, **kwargs: Any) -> None:
    """Every tensor that the code makes is on the device of its input.

    On CUDA the call itself shows it. On a CPU the call is repeated on torch's meta device, which cannot mix with a
    tensor made on the CPU; code that needs values there (`.item()`) passes. Code that raises in the first call does
    not.

    Example:
        # In the notebook
        def causal_mask(x):
            return torch.ones(x.shape[-1], x.shape[-1]).tril()

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3)))
        def test_device(student, x):
            '''the mask is made on the device of x'''
            contract.follows_device(student.causal_mask, x)

        # A student reads
        # a tensor was left on the CPU while the input lies on another device
        # hint: You make a tensor without saying where. Pass `device=x.device`, or register it as a buffer of the
        # module.
    """
    on_cpu = target._rpc.device == "cpu"
    if on_cpu:
        run_call(target, args, kwargs)
    devices, mixed = find_devices(target, args, kwargs, meta=on_cpu)
    if mixed or "cpu" in devices:
        raise Mismatch(
            "a tensor was left on the CPU while the input lies on another device",
            "You make a tensor without saying where. Pass `device=x.device`, or register it as a buffer of the module.",
        )


def gradient_reaches_inputs(target: Target, *args: Any, **kwargs: Any) -> None:
    """Autograd reaches every floating tensor argument, and every parameter of a module, from the result.

    It says nothing of the gradient's value: `oracle.compare_gradients` does.

    Example:
        # In the notebook
        def squared_error(prediction, target):
            return sum((p.item() - t.item()) ** 2 for p, t in zip(prediction, target)) * torch.ones(())

        # In the hidden test
        @check(points=1)
        @given(tensors((3,)), tensors((3,)))
        def test_differentiable(student, prediction, target):
            '''the loss can be differentiated'''
            contract.gradient_reaches_inputs(student.squared_error, prediction, target)

        # A student reads
        # no gradient reaches argument 1
        # hint: Your computation is cut off from autograd there: by .detach(), .data, .item(), no_grad or a new tensor.
    """
    _, found = request_gradients(target, args, kwargs, None)
    for name, gradient in (found or {}).items():
        if gradient is None:
            kind = "argument" if name in kwargs else "parameter"
            label = f"{kind} `{name}`" if isinstance(name, str) else f"argument {name + 1}"
            raise explain_no_gradient(label, target, args, kwargs, name)


def written_by_hand(target: Target, *args: Any, without: Sequence[str], rule: str, **kwargs: Any) -> None:
    """The call uses none of torch's operators `without`, by whatever name it reaches them.

    `without` holds names as in `builtin_operators`; `rule` is the hint. Give the check `points=0` for a remark that
    costs nothing. A deliberate attack on the torch of the submission's own process gets past it.

    Example:
        # In the notebook
        def softmax(x):
            return torch.nn.functional.softmax(x, dim=-1)

        # In the hidden test
        @check(points=1, examples=1)
        @given(tensors((2, 3)))
        def test_by_hand(student, x):
            '''the softmax is written by hand'''
            rule = "Write the softmax yourself: exponentials, divided by their sum."
            contract.written_by_hand(student.softmax, x, without=["aten::_softmax", "aten::softmax"], rule=rule)

        # A student reads
        # your code calls torch's own `softmax`
        # hint: Write the softmax yourself: exponentials, divided by their sum.
    """
    if names := find_banned_calls(target, args, kwargs, list(without)):
        ready_made = " and ".join(f"`{name.rpartition('::')[2].rpartition('.')[2].strip('_')}`" for name in names)
        raise Mismatch(f"your code calls torch's own {ready_made}", rule, is_fact=True)


def _expect_none(flags: list[bool], reason: str, hint: str) -> None:
    """Raise Mismatch for the first tensor argument with a flag, which `reason` names as `{argument}`."""
    if any(flags):
        raise Mismatch(reason.format(argument=f"tensor argument {flags.index(True) + 1}"), hint, is_fact=True)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]

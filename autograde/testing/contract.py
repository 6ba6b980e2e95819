"""Properties of a good function or module other than its value: one line each in a check, with a hint each.

A facet takes the function and the arguments to call it with, returns nothing, and raises Mismatch if the property does
not hold. It does not compare values with the reference: give it a check of its own, `after` the check that does.

Some facts are visible only in the submission's process (was an input written to, does memory overlap). A submission
that forges them gains that facet and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from autograde.client.errors import StudentError
from autograde.client.mismatch import Mismatch
from autograde.client.proxies import RemoteObject, Target, called, gradients, watched
from autograde.client.proxies import without as called_though_banned
from autograde.testing.tolerance import in_order
from autograde.wire import Generator

SELF_ULPS = 256.0
"""How far two runs of one program may differ, relative to the largest value, when only the order of sums differs."""
MOST_OF_LARGEST = 1 / 16
"""and never more than this share of the largest value, which so many ulps of half precision would exceed"""


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
    changed, _ = watched(target, args, kwargs)
    if any(changed):
        raise Mismatch(
            f"tensor argument {changed.index(True) + 1} was changed by the call",
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
    _, shared = watched(target, args, kwargs)
    if any(shared):
        raise Mismatch(
            f"the result shares its memory with tensor argument {shared.index(True) + 1}",
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
    device = target._rpc.device
    try:
        _, devices = called(target, args, kwargs)
        if device == "cpu":
            devices = _devices_on_meta(target._ask("on_meta", args, kwargs))
    except StudentError as error:
        if "device" not in error.message:
            raise
        devices = ["cpu"]
    if "cpu" in devices:
        raise Mismatch(
            "a tensor was left on the CPU while the input lies on another device",
            "You make a tensor without saying where. Pass `device=x.device`, or register it as a buffer of the module.",
        )


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
    if names := called_though_banned(target, args, kwargs, list(without)):
        ready_made = " and ".join(f"`{name.rpartition('::')[2].rpartition('.')[2].strip('_')}`" for name in names)
        raise Mismatch(f"your code calls torch's own {ready_made}", rule)


def _devices_on_meta(reply: dict[str, Any]) -> list[str]:
    """The devices of the results; the CPU if torch complained about mixed devices, nothing if it could not finish."""
    if reply.get("finished"):
        return [str(device) for device in reply["value"]] if isinstance(reply["value"], list) else []
    complaint = str(reply["value"])
    return ["cpu"] if "device" in complaint and "expected" in complaint.lower() else []


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
        # hint: Your computation is cut off from autograd: by .detach(), .data, .item(), no_grad or a new tensor.
    """
    _, found = gradients(target, args, kwargs, None)
    for name, gradient in (found or {}).items():
        if gradient is None:
            kind = "argument" if name in kwargs else "parameter"
            label = f"{kind} `{name}`" if isinstance(name, str) else f"argument {name + 1}"
            raise Mismatch(
                f"no gradient reaches {label}",
                "Your computation is cut off from autograd: by .detach(), .data, .item(), no_grad or a new tensor.",
            )


def noncontiguous_input(target: Target, *args: Any, **kwargs: Any) -> None:
    """The result does not depend on how the input's axes are laid out in memory.

    The same numbers are passed with the memory of every tensor transposed. Floating results may differ by rounding:
    `SELF_ULPS` units in the last place of the largest value.

    Example:
        # In the notebook
        def join_heads(x):
            return x.view(x.shape[0], -1)

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3, 4)))
        def test_layout(student, x):
            '''heads are joined whatever the layout of x in memory'''
            contract.noncontiguous_input(student.join_heads, x)

        # A student reads
        # a non-contiguous input raised RuntimeError
        # hint: Your code depends on how its input lies in memory. `.view` does; `.reshape` does not.
    """
    hint = "Your code depends on how its input lies in memory. `.view` does; `.reshape` does not."
    try:
        strided, _ = called(target, args, kwargs, noncontiguous=True)
    except StudentError as error:
        raise Mismatch(f"a non-contiguous input raised {error.types[0]}", hint) from None
    expect_close(strided, target(*args, **kwargs), "for a non-contiguous input the result differs", hint)


def leading_dimensions(target: Target, *args: Any, core: int = 1, **kwargs: Any) -> None:
    """A batch gives the same result as its members one by one, stacked.

    The first axis of every positional tensor with more than `core` axes is the batch, of one size in all of them;
    ValueError if there is no such tensor. Other arguments are passed unchanged to each call. A result that is no tensor
    must be the same for each member. Floating results may differ by rounding, as in `noncontiguous_input`.

    Example:
        # In the notebook
        def centre(x):
            return x - x.mean()

        # In the hidden test
        @check(points=1)
        @given(tensors((2, 3)))
        def test_batch(student, x):
            '''each row is centred on its own'''
            contract.leading_dimensions(student.centre, x, core=1)

        # A student reads
        # a batch gives another result than its members one by one
        # hint: Your code mixes or miscounts leading axes. Name axes from the end: dim=-1, dim=-2.
    """
    hint = "Your code mixes or miscounts leading axes. Name axes from the end: dim=-1, dim=-2."
    batched = [isinstance(arg, Tensor) and arg.dim() > core for arg in args]
    sizes = [arg.shape[0] for arg, is_batch in zip(args, batched, strict=True) if is_batch]
    if not sizes:
        raise ValueError(f"leading_dimensions needs a tensor of more than {core} axes among its positional arguments")
    whole = target(*args, **kwargs)
    members = []
    for index in range(sizes[0]):
        one = [arg[index] if is_batch else arg for arg, is_batch in zip(args, batched, strict=True)]
        members.append(target(*one, **kwargs))
    if members and not _agree(whole, members, _is_batch_of):
        raise Mismatch("a batch gives another result than its members one by one", hint)


def deterministic_in_eval(layer: RemoteObject, *args: Any, **kwargs: Any) -> None:
    """In eval mode two calls give the same result up to rounding. Leaves the module in eval mode.

    Not bit for bit: kernels of a GPU may add in another order at each call.

    Example:
        # In the notebook
        class Noisy(torch.nn.Module):
            def forward(self, x):
                return torch.nn.functional.dropout(x, 0.5)

        # In the hidden test
        @check(points=1)
        @given(tensors((64,)))
        def test_eval(student, x):
            '''nothing is random in eval mode'''
            contract.deterministic_in_eval(student.Noisy(), x)

        # A student reads
        # in eval mode two calls on the same input differ
        # hint: Something random is still active in eval mode. Dropout must ask `self.training`, or be an nn.Dropout.
    """
    layer.eval()
    hint = "Something random is still active in eval mode. Dropout must ask `self.training`, or be an nn.Dropout."
    reason = "in eval mode two calls on the same input differ"
    expect_close(layer(*args, **kwargs), layer(*args, **kwargs), reason, hint)


def rng_only_from(target: Target, *args: Any, seed: int = 1, generator: str = "generator", **kwargs: Any) -> None:
    """All randomness comes from the `torch.Generator` that the call receives as the keyword argument `generator`.

    The function is called twice with a generator that starts at `seed`, while the global generators of torch, NumPy and
    `random` start at different seeds; the results must be equal up to rounding. `generator=` renames the keyword.

    Example:
        # In the notebook
        def sample(probabilities, generator):
            return torch.multinomial(probabilities, 1)

        # In the hidden test
        @check(points=1)
        def test_generator(student):
            '''tokens are drawn from the generator that is passed'''
            contract.rng_only_from(student.sample, torch.full((4, 100), 0.01))

        # A student reads
        # with the same generator two calls differ
        # hint: You draw random numbers from torch's global generator. Pass `generator=` on to every random function.
    """
    results = []
    for global_seed in (1, 2):
        target._rpc.request({"op": "reseed", "seed": global_seed})
        results.append(target(*args, **kwargs, **{generator: Generator(seed)}))
    hint = "You draw random numbers from torch's global generator. Pass `generator=` on to every random function."
    first, second = results
    expect_close(first, second, "with the same generator two calls differ", hint)


def expect_close(got: Any, other: Any, reason: str, hint: str) -> None:
    """Two answers of a submission to one question are equal up to rounding; what is no floating number is equal.

    They may have been computed in another order: in a batch or alone, from memory laid out otherwise, by a module with
    or without dropout. Two right answers then differ in the last places, on each processor in others, so
    `torch.equal` is wrong for them.

    Example:
        # In the notebook
        def mean(x):
            return x.sum() / 5

        # In the hidden test
        @check(points=1)
        def test_repeated(student):
            '''numbers that come twice have the same mean'''
            x = torch.arange(5.0)
            reason = "the mean of x and x again is not that of x"
            contract.expect_close(student.mean(x), student.mean(x.repeat(2)), reason, "Divide by the number of values.")

        # A student reads
        # the mean of x and x again is not that of x
        # hint: Divide by the number of values.
    """
    if not _agree(got, [other], lambda leaf, others: _close(leaf, others[0])):
        raise Mismatch(reason, hint)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]


def _agree(value: Any, others: list[Any], fits: Callable[[Any, list[Any]], bool]) -> bool:
    """Are all of one structure, and does each part of `value` fit those of `others`?

    An object that stays in the worker is not compared.
    """
    (mine, structure), *theirs = [tree_flatten(in_order(one)) for one in (value, *others)]
    if any(other != structure for _, other in theirs):
        return False
    parts = zip(mine, *(leaves for leaves, _ in theirs), strict=True)
    return all(fits(leaf, rest) for leaf, *rest in parts if not all(isinstance(part, RemoteObject) for part in rest))


def _is_batch_of(whole: Any, members: list[Any]) -> bool:
    """Tensors are stacked; whatever else a function returns is the same for each member."""
    if not all(isinstance(member, Tensor) for member in members):
        return all(_close(whole, member) for member in members)
    same_kind = len({(member.shape, member.dtype) for member in members}) == 1
    return same_kind and _close(whole, torch.stack(members))


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, (float, np.ndarray)) and type(one) is type(other):
        one, other = torch.tensor(one), torch.tensor(other)
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return type(one) is type(other) and bool(one == other)
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not (one.is_floating_point() or one.is_complex()):
        return torch.equal(one, other)
    finite = other[other.isfinite()].abs()
    share = min(SELF_ULPS * torch.finfo(one.dtype).eps, MOST_OF_LARGEST)
    room = share * (float(finite.max()) if finite.numel() else 0.0)
    return torch.allclose(one, other, rtol=0, atol=room, equal_nan=True)

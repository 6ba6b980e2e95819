"""Facets of a good function or module that are no value: one line each in a check, one hint each for a student.

What only the worker can see (was an input written to, does memory overlap) is the worker's word: a submission that
forges it gains that facet and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from autograde.asking.errors import StudentError
from autograde.asking.mismatch import Mismatch
from autograde.asking.remote import RemoteObject, Target, called, gradients, watched
from autograde.asking.remote import without as called_though_banned
from autograde.wire import Generator

SELF_ULPS = 256.0
"""How far two runs of one program may differ, relative to the largest value, when only its input's layout differs."""


def input_unchanged(target: Target, *args: Any, **kwargs: Any) -> None:
    """The call writes to none of its inputs."""
    changed, _ = watched(target, args, kwargs)
    if any(changed):
        raise Mismatch(
            f"tensor argument {changed.index(True) + 1} was changed by the call",
            "Your code writes into its input. Operations ending in `_`, `+=`, `x[...] =` do that; make a new tensor.",
        )


def no_alias(target: Target, *args: Any, **kwargs: Any) -> None:
    """The result shares no memory with an input."""
    _, shared = watched(target, args, kwargs)
    if any(shared):
        raise Mismatch(
            f"the result shares its memory with tensor argument {shared.index(True) + 1}",
            "You return a view of the input: who changes one changes the other. Return a tensor of its own.",
        )


def same_dtype(target: Target, *args: Any, **kwargs: Any) -> None:
    """Every floating tensor of the result has the dtype of the first floating argument."""
    wanted = next(arg.dtype for arg in args if isinstance(arg, Tensor) and arg.is_floating_point())
    for tensor in _tensors(target(*args, **kwargs)):
        if tensor.is_floating_point() and tensor.dtype != wanted:
            raise Mismatch(
                f"for {wanted} input the result is {tensor.dtype}",
                "The result has another dtype than the input. Cast back with `.to(x.dtype)` at the end.",
            )


def follows_device(target: Target, *args: Any, **kwargs: Any) -> None:
    """Whatever the code makes lies on its input's device.

    On CUDA the call itself shows it. On a machine without, the call is repeated on torch's meta device, where a tensor
    made on the CPU cannot take part; code that needs values there (`.item()`) gets the benefit of the doubt. Code that
    cannot be called at all does not.
    """
    device = target._conversation.device
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
    """The call uses none of torch's operators `without` (see `autograde.testing.ready_made`), however it spells them.

    `rule` is the hint. What it costs is the check's points: none makes it a flag. A submission that takes the watch
    apart gets past it; the answer's value is judged by the oracle, not here.
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
    """Autograd finds a way from the result to every floating tensor argument (and every parameter of a module)."""
    _, found = gradients(target, args, kwargs, None)
    for name, gradient in (found or {}).items():
        if gradient is None:
            label = f"parameter `{name}`" if isinstance(name, str) else f"argument {name + 1}"
            raise Mismatch(
                f"no gradient reaches {label}",
                "Your computation is cut off from autograd: by .detach(), .data, .item(), no_grad or a new tensor.",
            )


def noncontiguous_input(target: Target, *args: Any, **kwargs: Any) -> None:
    """A transposed or sliced input gives the same result as a contiguous one."""
    hint = "Your code depends on how its input lies in memory. `.view` does; `.reshape` does not."
    try:
        strided, _ = called(target, args, kwargs, noncontiguous=True)
    except StudentError as error:
        raise Mismatch(f"a non-contiguous input raised {error.types[0]}", hint) from None
    _expect_equal(strided, target(*args, **kwargs), "for a non-contiguous input the result differs", hint)


def leading_dimensions(target: Target, *args: Any, core: int = 1, **kwargs: Any) -> None:
    """The first axis of every tensor with more than `core` axes is a batch: all at once equals one after the other."""
    hint = "Your code mixes or miscounts leading axes. Name axes from the end: dim=-1, dim=-2."
    batched = [isinstance(arg, Tensor) and arg.dim() > core for arg in args]
    size = next(arg.shape[0] for arg, is_batch in zip(args, batched, strict=True) if is_batch)
    whole = target(*args, **kwargs)
    members = []
    for index in range(size):
        one = [arg[index] if is_batch else arg for arg, is_batch in zip(args, batched, strict=True)]
        members.append(target(*one, **kwargs))
    stacked = tree_map(lambda *parts: torch.stack(parts), *members) if members else whole
    _expect_equal(whole, stacked, "a batch gives another result than its members one by one", hint)


def deterministic_in_eval(layer: RemoteObject, *args: Any, **kwargs: Any) -> None:
    """In eval mode two calls give the same result, bit for bit."""
    layer.eval()
    if not _same_bits(layer(*args, **kwargs), layer(*args, **kwargs)):
        raise Mismatch(
            "in eval mode two calls on the same input differ",
            "Something random is still active in eval mode. Dropout must ask `self.training`, or be an nn.Dropout.",
        )


def rng_only_from(target: Target, *args: Any, seed: int = 1, generator: str = "generator", **kwargs: Any) -> None:
    """All randomness comes from the generator passed as the keyword `generator`."""
    results = []
    for global_seed in (1, 2):
        target._conversation.ask({"op": "reseed", "seed": global_seed})
        results.append(target(*args, **kwargs, **{generator: Generator(seed)}))
    if not _same_bits(*results):
        raise Mismatch(
            "with the same generator two calls differ",
            "You draw random numbers from torch's global generator. Pass `generator=` on to every random function.",
        )


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]


def _same_bits(one: Any, other: Any) -> bool:
    mine, theirs = _tensors(one), _tensors(other)
    return len(mine) == len(theirs) and all(map(torch.equal, mine, theirs))


def _expect_equal(got: Any, wanted: Any, reason: str, hint: str) -> None:
    mine, theirs = _tensors(got), _tensors(wanted)
    same = len(mine) == len(theirs) and all(map(_close, mine, theirs))
    if not same:
        raise Mismatch(reason, hint)


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return torch.equal(one, other)
    largest = (
        other[other.isfinite()].abs().max() if bool(other.isfinite().any()) else torch.zeros((), dtype=other.dtype)
    )
    room = SELF_ULPS * torch.finfo(one.dtype).eps * float(largest)
    return torch.allclose(one, other, rtol=0, atol=room, equal_nan=True)

"""Proxies for what lives in the worker: the submission's functions, and objects that they return."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch

from autograde.asking.conversation import Conversation, Remote
from autograde.asking.errors import DISTURBED, StudentError, WorkerLostError
from autograde.wire import Handle

last_target: ContextVar[str] = ContextVar("last_target", default="")
"""The submission's function that was called last: whose answers the evidence of a wrong idea is about."""


@dataclass(frozen=True)
class Cost:
    """What a call cost, counted in the worker; `operations` maps an operator's name to how often it ran."""

    result: Any
    flops: int
    peak_bytes: int
    operations: dict[str, int]


class Function:
    """A global of the submission, by name. Call it, or hand it to the oracle or a contract."""

    def __init__(self, conversation: Conversation, where: dict[str, Any], text: str) -> None:
        self._conversation = conversation
        self._where = where
        self._text = text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self._conversation.request(self._call("call", args, kwargs))
        if isinstance(value, RemoteObject):
            value._text = self._conversation.transcript.name_last(value._handle.type_name)
        return value

    def _ask(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> dict[str, Any]:
        """Call it in another way than for its value alone; the whole reply."""
        return self._conversation.ask(self._call(operation, args, kwargs) | extra)

    def _call(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        last_target.set(self._text.rstrip("0123456789"))
        self._conversation.transcript.call(self._text, args, kwargs)
        return self._where | {"op": operation, "args": args, "kwargs": kwargs}


class RemoteObject(Remote):
    """An object that stays in the worker: a module, an optimizer, a cache, whatever the submission returned."""

    def __init__(self, conversation: Conversation, handle: Handle) -> None:
        self._conversation = conversation
        self._handle = handle
        self._text = f"<{handle.type_name}>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """An attribute: data as a value, anything else as another RemoteObject (so that methods can be called)."""
        if name.startswith("_"):
            raise AttributeError(f"{name}: a check asks for public names only")
        found = self._get(name)
        if isinstance(found, RemoteObject):
            found._text = f"{self._text}.{name}"
        return found

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._tensors("state_dict", self._function("state_dict")())

    def named_parameters(self) -> dict[str, torch.Tensor]:
        """Parameters by name, frozen ones among them."""
        return self._tensors("named_parameters", self._get("named_parameters"))

    def named_buffers(self) -> dict[str, torch.Tensor]:
        return self._tensors("named_buffers", self._get("named_buffers"))

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Set the tensors that `state` names; what else the module holds (a mask in a buffer) stays."""
        state = dict(sorted(state.items()))  # the same for everybody, in whatever order a module names its parameters
        self._conversation.transcript.call(f"{self._text}.load_state_dict", (state,), {"strict": False})
        self._conversation.request({"op": "load", "handle": self._handle, "state": state})

    def train(self, mode: bool = True) -> RemoteObject:
        self._function("train")(mode)
        return self

    def eval(self) -> RemoteObject:
        return self.train(False)

    def _get(self, attribute: str) -> Any:
        return self._conversation.request({"op": "get", "handle": self._handle, "attribute": attribute})

    def _function(self, method: str | None = None) -> Function:
        text = self._text if method is None else f"{self._text}.{method}"
        return Function(self._conversation, {"handle": self._handle, "attribute": method}, text)

    def _ask(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> dict[str, Any]:
        return self._function()._ask(operation, args, kwargs, **extra)

    def _tensors(self, what: str, value: Any) -> dict[str, torch.Tensor]:
        if isinstance(value, dict) and all(type(k) is str and isinstance(v, torch.Tensor) for k, v in value.items()):
            return value
        raise StudentError(["TypeError"], f"`{self._handle.type_name}.{what}()` gave no dict of tensors", [], False)


Target = Function | RemoteObject


def gradients(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], cotangents: Any) -> tuple[Any, Any]:
    """(value, gradients): position of a floating tensor argument, or name of a parameter, -> gradient or None.

    `cotangents` are one per tensor of the value; None means ones. Gradients are None if their shapes do not fit.
    """
    reply = target._ask("gradients", args, kwargs, cotangents=cotangents)
    received = target._conversation.received
    found = received(reply.get("gradients"))
    if not (found is None or (isinstance(found, dict) and all(type(name) in (int, str) for name in found))):
        raise WorkerLostError(DISTURBED)
    return received(reply["value"]), found


def watched(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[bool], list[bool]]:
    """Per tensor argument: did the call write to it, and does its result share its memory. The worker's word."""
    reply = target._ask("watch", args, kwargs)
    changed, shared = reply.get("changed"), reply.get("shared")
    if not (isinstance(changed, list) and isinstance(shared, list)):
        raise WorkerLostError(DISTURBED)
    return [flag is True for flag in changed], [flag is True for flag in shared]


def called(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], **extra: Any) -> tuple[Any, list[str]]:
    """(value, devices of its tensors) of a call; noncontiguous=True lays the inputs out the other way round."""
    devices: list[str] = []
    reply = target._ask("call", args, kwargs, **extra)
    return target._conversation.received(reply["value"], devices), devices


def without(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any], banned: list[str]) -> list[str]:
    """Which of the `banned` operators a call asks for. The worker's word."""
    names = target._ask("without", args, kwargs, banned=banned).get("called")
    if not (isinstance(names, list) and all(name in banned for name in names)):
        raise WorkerLostError(DISTURBED)
    return names


def cost(target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Cost:
    """Call under the worker's counters."""
    reply = target._ask("cost", args, kwargs)
    flops, peak, operations = reply.get("flops"), reply.get("peak_bytes"), reply.get("operations")
    if not (type(flops) is int and type(peak) is int and isinstance(operations, dict)):
        raise WorkerLostError(DISTURBED)
    if not all(type(name) is str and type(count) is int for name, count in operations.items()):
        raise WorkerLostError(DISTURBED)
    return Cost(target._conversation.received(reply["value"]), flops, peak, operations)

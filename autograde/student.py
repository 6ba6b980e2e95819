"""What a hidden test holds in place of the submission: proxies that send requests to the worker and return plain data."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch

from autograde.transcript import Transcript
from autograde.wire import CallbackId, Channel, DeadlineError, Handle, PeerGone, WireError, WireTensor

last_target: ContextVar[str] = ContextVar("last_target", default="")
"""The submission's function that was called last: whose answers the evidence of a wrong idea is about."""
MAX_CALLBACKS = 100_000
SUPPLY_ELEMENTS = 1 << 14
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class StudentError(Exception):
    """The submission raised: what, with its own traceback. `types` are the exception's class names, itself first."""

    def __init__(self, types: list[str], message: str, frames: list[tuple[str, int, str]], missing: bool) -> None:
        super().__init__(f"{types[0]}: {message}" if message else types[0])
        self.types = types
        self.message = message
        self.frames = frames
        self.missing = missing

    @property
    def traceback(self) -> str:
        return "\n".join(f"cell {cell}, line {line}: {text}" for cell, line, text in self.frames)


class WorkerLostError(BaseException):
    """The worker is gone. Not an Exception: Hypothesis must not try to shrink what killed it."""

    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


@dataclass
class Answer:
    """A reply of the worker: the value, and what the worker says about the inputs and the cost."""

    value: Any
    devices: list[str] = field(default_factory=list)
    """the device of every tensor in the value, in order"""
    changed: list[bool] = field(default_factory=list)
    """per tensor argument: did the call write to it"""
    shared: list[bool] = field(default_factory=list)
    """per tensor argument: does the value share its memory"""


@dataclass(frozen=True)
class Cost:
    """What a call cost, counted in the worker; `operations` maps an operator's name to how often it ran."""

    result: Any
    flops: int
    peak_bytes: int
    operations: dict[str, int]


class Student:
    """A submission inside one check. `student.f(x)` calls its global `f`."""

    def __init__(self, channel: Channel, *, device: str = "cpu", wall_s: float = 60.0) -> None:
        self._channel = channel
        self._deadline = time.monotonic() + wall_s
        self._wall_s = wall_s
        self._callbacks: list[Callable[..., Any]] = []
        self._supplied: set[int] = set()
        self._called_back = 0
        self._transcript = Transcript()
        self._device = device

    def __getattr__(self, name: str) -> Function:
        if name.startswith("__"):
            raise AttributeError(name)
        return Function(self, {"name": name}, name)

    @property
    def device(self) -> str:
        """Where the submission computes: cpu or cuda. Inputs are drawn on the CPU and moved there."""
        return self._device

    def value(self, name: str) -> Any:
        """A global of the notebook that is data."""
        self._transcript.note(name)
        return self._request({"op": "get", "name": name}).value

    def seed(self, seed: int) -> None:
        """Start the worker's random generators at `seed`; forgets the objects that this example made so far."""
        self._begin(seed)

    def supply(self, **functions: Callable[..., Any]) -> None:
        """Until the next example, let each global of that name be the grader's function (which returns one tensor)."""
        for name, function in functions.items():
            number = self._callback(function)
            self._supplied.add(number.number)
            self._request({"op": "supply", "name": name, "callback": number})

    @contextlib.contextmanager
    def raises(self, *expected: type[BaseException], hint: str = "") -> Iterator[None]:
        """The block must make the submission raise one of `expected` (or a subclass of it)."""
        from autograde.testing.mismatch import Mismatch

        names = {cls.__name__ for cls in expected}
        wanted = " or ".join(sorted(names))
        try:
            yield
        except StudentError as error:
            if error.missing:
                raise
            if not names & set(error.types):
                raise Mismatch(f"expected a {wanted}, but your code raised {error.types[0]}", hint) from None
        else:
            raise Mismatch(f"expected a {wanted}, but your code raised nothing", hint)

    def gradients(self, target: Function | RemoteObject, *args: Any, cotangent: Any = None, **kwargs: Any) -> Any:
        """(value, gradients): position of a floating tensor argument, or name of a parameter, -> gradient or None."""
        cotangents = None if cotangent is None else cotangent if isinstance(cotangent, list) else [cotangent]
        reply = self._ask(target._call("gradients", args, kwargs) | {"cotangents": cotangents})
        return _received(self, reply["value"]), _received(self, reply["gradients"])

    def cost(self, target: Function | RemoteObject, *args: Any, **kwargs: Any) -> Cost:
        """Call it under the worker's counters."""
        reply = self._ask(target._call("cost", args, kwargs))
        flops, peak, operations = reply.get("flops"), reply.get("peak_bytes"), reply.get("operations")
        if not (isinstance(flops, int) and isinstance(peak, int) and isinstance(operations, dict)):
            raise WorkerLostError("your code disturbed the grader's connection")
        return Cost(_received(self, reply["value"]), flops, peak, operations)

    # What the proxies and the engine use

    def _begin(self, seed: int | None = None) -> None:
        """A new example: the worker forgets the objects of the last one and reseeds."""
        self._transcript.clear()
        self._callbacks.clear()
        self._supplied.clear()
        self._request({"op": "begin", "seed": seed})

    def _request(self, request: dict[str, Any]) -> Answer:
        reply = self._ask(request)
        devices: list[str] = []
        value = _received(self, reply["value"], devices)
        changed, shared = reply.get("changed", []), reply.get("shared", [])
        if not all(isinstance(flags, list) and all(type(flag) is bool for flag in flags) for flags in (changed, shared)):
            raise WorkerLostError("your code disturbed the grader's connection")
        return Answer(value, devices, changed, shared)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request; answer callbacks until the reply comes. StudentError if the submission raised."""
        try:
            self._channel.send(request, self._stand_in, self._deadline)
            while True:
                reply = self._channel.receive(self._deadline)
                if not isinstance(reply, dict):
                    raise WireError("a reply that is none")
                if "callback" not in reply:
                    break
                self._channel.send(self._answer_callback(reply), self._stand_in, self._deadline)
        except DeadlineError:
            raise WorkerLostError(f"your code did not finish within {self._wall_s:g} s", timed_out=True) from None
        except PeerGone:
            raise WorkerLostError("your code ended its own process") from None
        except WireError as error:
            raise WorkerLostError(f"your code disturbed the grader's connection: {error}") from None
        if "error" in reply:
            raise _student_error(reply["error"])
        if "value" not in reply:
            raise WorkerLostError("your code disturbed the grader's connection")
        return reply

    def _answer_callback(self, question: dict[str, Any]) -> dict[str, Any]:
        self._called_back += 1
        number, args, kwargs = question.get("callback"), question.get("args"), question.get("kwargs")
        if self._called_back > MAX_CALLBACKS or not (isinstance(args, tuple) and isinstance(kwargs, dict)):
            raise WireError("too many or malformed calls to the grader's function")
        if type(number) is not int or not 0 <= number < len(self._callbacks):
            raise WireError("a call to a function of the grader that does not exist")
        args, kwargs = _received(self, args), _received(self, kwargs)
        if number in self._supplied and _elements([args, kwargs]) > SUPPLY_ELEMENTS:
            raise WireError("a call to the grader's function with more data than any check needs")
        try:
            value = self._callbacks[number](*args, **kwargs)
            if (cotangents := question.get("cotangents")) is None:
                return {"value": value}
            return {"value": _vjp(self._callbacks[number], args, kwargs, _received(self, cotangents))}
        except (Exception, RecursionError) as error:  # the submission passed it something odd: its own affair
            return {"error": f"{type(error).__name__}: {error}"[:500]}

    def _stand_in(self, thing: Any) -> Any:
        if isinstance(thing, RemoteObject):
            return thing._handle
        if callable(thing):
            return self._callback(thing)
        raise TypeError(f"a check passed a {type(thing).__name__}; pass data, a function, or an object of the student's")

    def _callback(self, function: Callable[..., Any]) -> CallbackId:
        self._callbacks.append(function)
        return CallbackId(len(self._callbacks) - 1)


class Function:
    """A global of the submission, by name. Call it, or hand it to the oracle or a contract."""

    def __init__(self, student: Student, where: dict[str, Any], text: str) -> None:
        self._student = student
        self._where = where
        self._text = text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._answer(*args, **kwargs).value

    def _call(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        last_target.set(self._text.rstrip("0123456789"))
        self._student._transcript.call(self._text, args, kwargs)
        return self._where | {"op": operation, "args": args, "kwargs": kwargs}

    def _answer(self, *args: Any, _noncontiguous: bool = False, **kwargs: Any) -> Answer:
        request = self._call("call", args, kwargs) | {"noncontiguous": _noncontiguous}
        answer = self._student._request(request)
        if isinstance(answer.value, RemoteObject):
            answer.value._text = self._student._transcript.name_last(answer.value._handle.type_name)
        return answer


class RemoteObject:
    """An object that stays in the worker: a module, an optimizer, a cache, whatever the submission returned."""

    def __init__(self, student: Student, handle: Handle, text: str) -> None:
        self._student = student
        self._handle = handle
        self._text = text

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function()(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """An attribute: data as a value, anything else as another RemoteObject (so that methods can be called)."""
        if name.startswith("__"):
            raise AttributeError(name)
        found = self._student._request({"op": "get", "handle": self._handle, "attribute": name}).value
        if isinstance(found, RemoteObject):
            found._text = f"{self._text}.{name}"
        return found

    def _function(self, method: str | None = None) -> Function:
        text = self._text if method is None else f"{self._text}.{method}"
        return Function(self._student, {"handle": self._handle, "attribute": method}, text)

    def _call(self, operation: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        return self._function()._call(operation, args, kwargs)

    def _answer(self, *args: Any, **kwargs: Any) -> Answer:
        return self._function()._answer(*args, **kwargs)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self._tensors("state_dict", self._function("state_dict")())

    def named_parameters(self) -> dict[str, torch.Tensor]:
        """Trainable parameters by name."""
        request = {"op": "get", "handle": self._handle, "attribute": "named_parameters"}
        return self._tensors("named_parameters", self._student._request(request).value)

    def named_buffers(self) -> dict[str, torch.Tensor]:
        request = {"op": "get", "handle": self._handle, "attribute": "named_buffers"}
        return self._tensors("named_buffers", self._student._request(request).value)

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self._function("load_state_dict")(state)

    def train(self, mode: bool = True) -> RemoteObject:
        self._function("train")(mode)
        return self

    def eval(self) -> RemoteObject:
        return self.train(False)

    def _tensors(self, what: str, value: Any) -> dict[str, torch.Tensor]:
        if isinstance(value, dict) and all(type(k) is str and isinstance(v, torch.Tensor) for k, v in value.items()):
            return value
        raise StudentError(["TypeError"], f"`{self._handle.type_name}.{what}()` gave no dict of tensors", [], False)


def _received(student: Student, value: Any, devices: list[str] | None = None) -> Any:
    """Wire data as a test expects it: tensors on the CPU, handles as RemoteObjects."""
    if isinstance(value, WireTensor):
        if devices is not None:
            devices.append(value.device)
        return value.tensor
    if isinstance(value, Handle):
        return RemoteObject(student, value, f"<{value.type_name}>")
    if isinstance(value, (list, tuple)):
        return type(value)(_received(student, item, devices) for item in value)
    if isinstance(value, dict):
        return {key: _received(student, item, devices) for key, item in value.items()}
    return value


def _student_error(error: Any) -> StudentError:
    match error:
        case {"types": [str(), *_] as types, "message": str(message), "frames": list(frames), "missing": bool(missing)}:
            names = [clean(str(name), 80) for name in types]
            places = [(clean(str(c), 80), int(n), clean(str(t), 200)) for c, n, t in _triples(frames)]
            return StudentError(names, clean(message, 1000), places, missing)
    raise WorkerLostError("your code disturbed the grader's connection")


def _triples(frames: list[Any]) -> Iterator[tuple[Any, int, Any]]:
    for frame in frames[:20]:
        if isinstance(frame, list) and len(frame) == 3 and type(frame[1]) is int:
            yield frame[0], frame[1], frame[2]


def clean(text: str, most: int) -> str:
    """Text of a submission without control and direction characters, at most `most` long."""
    return CONTROL.sub("�", text.encode("utf-8", "replace").decode())[:most]


def _elements(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, (list, tuple)):
        return sum(_elements(item) for item in value)
    return sum(_elements(item) for item in value.values()) if isinstance(value, dict) else 0


def _vjp(function: Callable[..., Any], args: Any, kwargs: Any, cotangents: list[torch.Tensor]) -> dict[int, Any]:
    """Gradients of the grader's function in its tensor arguments, by position."""
    leaves = [arg.detach().requires_grad_(arg.is_floating_point()) if isinstance(arg, torch.Tensor) else arg for arg in args]
    wanted = {index: leaf for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor) and leaf.requires_grad}
    found = torch.autograd.grad(function(*leaves, **kwargs), list(wanted.values()), cotangents, allow_unused=True)
    gradients = dict(zip(wanted, found, strict=True))
    return {index: gradients.get(index) for index, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)}

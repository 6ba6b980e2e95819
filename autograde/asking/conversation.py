"""One check's talk with a worker: requests out, replies back, and the calls to the grader's functions in between.

What the worker says is data that was decoded within bounds, and a claim. Every wait has the check's deadline.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from autograde.asking.steady import steady
from autograde.asking.transcript import Transcript
from autograde.wire import CallbackId, Channel, DeadlineError, Handle, PeerGone, WireError, WireTensor, decode, encode

MAX_CALLBACKS = 100_000
MAX_ELEMENTS = 1 << 22
"""Numbers in one call to a function of the grader: far more than a check needs, few enough to hold."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
DISTURBED = "your code disturbed the grader's connection"


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


class OffScriptError(BaseException):
    """The check asks something else than was sent ahead. Not an Exception: no test may catch it."""


class Remote:
    """Stands for an object that stays in the worker."""

    _handle: Handle


class Conversation:
    """Asks the worker, and answers it when it calls a function of the grader."""

    def __init__(
        self,
        channel: Channel,
        remote: Callable[[Conversation, Handle], Remote],
        device: str,
        wall_s: float,
        cpu_s: float,
    ) -> None:
        """`remote` makes the proxy of an object that the worker keeps; after `cpu_s` of work the worker is killed."""
        self.channel = channel
        self.remote = remote
        self.device = device
        self.wall_s = wall_s
        self.cpu_s = cpu_s
        self.start = time.monotonic()
        self.deadline = self.start + wall_s
        self.transcript = Transcript()
        self.functions: list[Callable[..., Any]] = []
        self.called_back = 0
        self.beginning: dict[str, int | None] = {}
        """goes out with the next request"""
        self.asked: list[bytes] = []
        """every request, as its frame"""
        self.heard = hashlib.sha256()
        """of every frame that came back"""
        self.answers: dict[bytes, bytes] = {}
        """`heard` when the submission had called a function of the grader -> what it was sent"""
        self.ahead: deque[bytes] = deque()
        """requests that are sent and not yet asked"""
        self.arrived: deque[bytes] = deque()
        """frames that came and are not yet looked at"""
        self.answered_ahead = 0
        """how many of them are calls that have their answer already"""

    def begin(self, seed: int | None = None) -> None:
        """A new example: before the next request the worker forgets the last one's objects and reseeds."""
        self.transcript.clear()
        self.functions.clear()
        self.beginning = {"begin": seed}

    def request(self, request: dict[str, Any], devices: list[str] | None = None) -> Any:
        """Ask for one value; appends its tensors' devices. StudentError if the submission raised, WorkerLostError if
        nothing more will come."""
        return self.received(self.ask(request)["value"], devices)

    def ask_ahead(self, frames: list[bytes]) -> None:
        """Send these requests now. Whatever is asked next must be these, in this order, or is an OffScriptError."""
        self.ahead.extend(frames)
        self.channel.queue(b"".join(frames))

    def listen_ahead(self, answer: Callable[[bytes], bytes | None]) -> bytes | None:
        """Wait for the replies to all that was sent ahead; the digest of everything that came.

        `answer` gives for the digest so far what was sent there the last time. None where it does not know.
        """
        heard, waiting = hashlib.sha256(), len(self.ahead)
        with self._watching():
            while waiting:
                self._arrive()
                heard.update(self.arrived[-1])
                if "callback" not in _value_of(self.arrived[-1]):
                    waiting -= 1
                elif known := answer(heard.digest()):
                    self.channel.send_frame(known, self.deadline)
                    self.answered_ahead += 1
                else:
                    return None
        return heard.digest()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The whole reply to one request, its tensors as they came."""
        # Outside the watch: what cannot be sent is the check's mistake, not the submission's.
        frame = encode(request | self.beginning, self._stand_in)
        self.beginning = {}
        self.asked.append(frame)
        with self._watching():
            if not self.ahead:
                self.channel.send_frame(frame, self.deadline)
            elif self.ahead.popleft() != frame:
                raise OffScriptError
            while "callback" in (reply := self._receive()):
                answer = encode(self._answer(reply), self._stand_in)
                self.answers[self.heard.digest()] = answer
                if self.answered_ahead:
                    self.answered_ahead -= 1
                else:
                    self.channel.send_frame(answer, self.deadline)
        if "error" in reply:
            raise _student_error(reply["error"])
        if "value" not in reply:
            raise WorkerLostError(DISTURBED)
        return reply

    def callback(self, function: Callable[..., Any]) -> CallbackId:
        """A name for `function`, good until the next example."""
        self.functions.append(function)
        return CallbackId(len(self.functions) - 1)

    def received(self, value: Any, devices: list[str] | None = None) -> Any:
        """Wire data as a test expects it: tensors on the CPU, proxies for handles. Appends the tensors' devices."""
        if isinstance(value, WireTensor):
            if devices is not None:
                devices.append(value.device)
            return value.tensor
        if isinstance(value, Handle):
            return self.remote(self, value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.received(item, devices) for item in value)
        if isinstance(value, dict):
            return {key: self.received(item, devices) for key, item in value.items()}
        return value

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Whatever ends the talk is told as what it means for the submission."""
        try:
            yield
        except DeadlineError:
            raise WorkerLostError(f"your code did not finish within {self.wall_s:g} s", timed_out=True) from None
        except PeerGone:
            raise self._lost() from None

    def _lost(self) -> WorkerLostError:
        """Why the worker is gone, as far as this side can tell: by the clock, since a submission may end itself."""
        if time.monotonic() - self.start >= self.cpu_s:
            return WorkerLostError(f"your code did not finish within {self.cpu_s:g} s of computing", timed_out=True)
        return WorkerLostError("your code ended its own process")

    def _arrive(self) -> None:
        with _undisturbed():
            self.arrived.append(self.channel.receive_frame(self.deadline))

    def _receive(self) -> dict[str, Any]:
        if not self.arrived:
            self._arrive()
        frame = self.arrived.popleft()
        self.heard.update(frame)
        return _value_of(frame)

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """What the function of the grader gives for the arguments that the submission passed it, or its complaint."""
        self.called_back += 1
        number, args, kwargs = question.get("callback"), question.get("args"), question.get("kwargs")
        if self.called_back > MAX_CALLBACKS:
            raise WorkerLostError(f"your code called a function of this check more than {MAX_CALLBACKS} times")
        if not (isinstance(args, tuple) and isinstance(kwargs, dict) and all(type(key) is str for key in kwargs)):
            raise WorkerLostError(DISTURBED)
        if type(number) is not int or not 0 <= number < len(self.functions):
            raise WorkerLostError(DISTURBED)
        function, args, kwargs = self.functions[number], self.received(args), self.received(kwargs)
        if _elements([args, kwargs]) > MAX_ELEMENTS:
            return {"error": f"this function takes at most {MAX_ELEMENTS} numbers at once"}
        try:
            if (cotangents := question.get("cotangents")) is None:
                return {"value": function(*args, **kwargs)}
            return {"value": _vjp(function, args, kwargs, self.received(cotangents))}
        except (Exception, RecursionError) as error:  # the submission passed it something odd: its own affair
            return {"error": f"{type(error).__name__}: {error}"[:500]}

    def _stand_in(self, thing: Any) -> Any:
        if isinstance(thing, Remote):
            return thing._handle
        if callable(thing):
            return self.callback(thing)
        raise TypeError(
            f"a check passed a {type(thing).__name__}; pass data, a function, or an object of the student's"
        )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """What came and is no frame was not written by our side of the worker."""
    try:
        yield
    except WireError as error:
        raise WorkerLostError(f"{DISTURBED}: {error}") from None


def _value_of(frame: bytes) -> dict[str, Any]:
    with _undisturbed():
        value = decode(frame)
    if not isinstance(value, dict):
        raise WorkerLostError(DISTURBED)
    return value


def clean(text: str, most: int) -> str:
    """Text of a submission without control and direction characters, the same in every run, at most `most` long."""
    return CONTROL.sub("�", steady(text))[:most]


def _student_error(error: Any) -> StudentError:
    match error:
        case {"types": [str(), *_] as types, "message": str(message), "frames": list(frames), "missing": bool(missing)}:
            names = [clean(str(name), 80) for name in types]
            places = [(clean(str(c), 80), int(n), clean(str(t), 200)) for c, n, t in _triples(frames)]
            return StudentError(names, clean(message, 1000), places, missing)
    raise WorkerLostError(DISTURBED)


def _triples(frames: list[Any]) -> Iterator[tuple[Any, int, Any]]:
    for frame in frames[:20]:
        if isinstance(frame, list) and len(frame) == 3 and type(frame[1]) is int:
            yield frame[0], frame[1], frame[2]


def _elements(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.numel()
    if isinstance(value, (list, tuple)):
        return sum(map(_elements, value))
    return sum(map(_elements, value.values())) if isinstance(value, dict) else 0


def _vjp(function: Callable[..., Any], args: Any, kwargs: Any, cotangents: list[torch.Tensor]) -> dict[Any, Any]:
    """Gradients of the grader's function in its tensor arguments, by position or keyword; None where there is none."""
    given = dict(enumerate(args)) | kwargs
    tensors = {key: value for key, value in given.items() if isinstance(value, torch.Tensor)}
    leaves = {key: value.detach().requires_grad_(value.is_floating_point()) for key, value in tensors.items()}
    wanted = {key: leaf for key, leaf in leaves.items() if leaf.requires_grad}
    filled = given | leaves
    value = function(*(filled[index] for index in range(len(args))), **{key: filled[key] for key in kwargs})
    found = torch.autograd.grad(value, list(wanted.values()), cotangents, allow_unused=True)
    return dict.fromkeys(leaves) | dict(zip(wanted, found, strict=True))

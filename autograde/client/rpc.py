"""Remote procedure calls of one check: requests to the worker, its replies, and its callbacks in between.

What the worker says is data that was decoded within bounds, and a claim. Every wait has the check's deadline.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from autograde.client.callbacks import Callbacks
from autograde.client.errors import DISTURBED, OffScriptError, StudentError, WorkerLostError
from autograde.client.exchange_log import ExchangeLog
from autograde.client.reproduction import Reproduction
from autograde.text import clean
from autograde.wire import Channel, DeadlineError, Handle, PeerGone, WireError, WireTensor, begins_with, decode, encode

MOST_AHEAD = 64 << 20
"""Bytes of replies that are held before they are looked at."""


class Remote:
    """Stands for an object that stays in the worker."""

    _handle: Handle


class Rpc:
    """Asks the worker, and answers it when it calls a function of the grader."""

    def __init__(
        self,
        channel: Channel,
        remote: Callable[[Rpc, Handle], Remote],
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
        self.reproduction = Reproduction()
        self.callbacks = Callbacks(self.received)
        self.last_target = ""
        """the submission's function that was called last: the next answers are its own"""
        self.beginning: dict[str, bool] = {}
        """goes out with the next request"""
        self.exchange_log = ExchangeLog()
        self.ahead: deque[bytes] = deque()
        """requests that are sent and not yet asked"""
        self.arrived: deque[bytes] = deque()
        """frames that came and are not yet looked at"""
        self.answered_ahead = 0
        """how many of them are calls that have their answer already"""

    def begin(self) -> None:
        """A new example: before the next request the worker forgets the last one's objects and reseeds."""
        self.reproduction.clear()
        self.last_target = ""
        self.callbacks.functions.clear()
        self.beginning = {"begin": True}

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

        `answer` gives for the digest so far what was sent there the last time. None where it does not know, and where
        more comes than should be held.
        """
        heard, waiting, held = hashlib.sha256(), len(self.ahead), 0
        with self._watching():
            while waiting and held < MOST_AHEAD:
                self._arrive()
                held += len(self.arrived[-1])
                heard.update(self.arrived[-1])
                if not begins_with(self.arrived[-1], "callback"):
                    waiting -= 1
                elif known := answer(heard.digest()):
                    self.channel.send_frame(known, self.deadline)
                    self.answered_ahead += 1
                else:
                    return None
        return None if waiting else heard.digest()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The whole reply to one request, its tensors as they came."""
        # Outside the watch: what cannot be sent is the check's mistake, not the submission's.
        frame = encode(request | self.beginning, self._stand_in)
        self.beginning = {}
        self.exchange_log.request(frame)
        with self._watching():
            if not self.ahead:
                self.channel.send_frame(frame, self.deadline)
            elif self.ahead.popleft() != frame:
                raise OffScriptError
            while "callback" in (reply := self._receive()):
                if time.monotonic() > self.deadline:  # whoever goes on asking keeps no wait from ending
                    raise DeadlineError
                answer = encode(self.callbacks.answer(reply), self._stand_in)
                self.exchange_log.answer(answer)
                if self.answered_ahead:
                    self.answered_ahead -= 1
                else:
                    self.channel.send_frame(answer, self.deadline)
        if "error" in reply:
            raise _student_error(reply["error"])
        if "value" not in reply:
            raise WorkerLostError(DISTURBED)
        return reply

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
        self.exchange_log.heard.update(frame)
        return _value_of(frame)

    def _stand_in(self, thing: Any) -> Any:
        if isinstance(thing, Remote):
            return thing._handle
        if callable(thing):
            return self.callbacks.name(thing)
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

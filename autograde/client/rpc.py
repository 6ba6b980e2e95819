"""Remote procedure calls of one check: requests to the worker, its replies, and its callbacks in between.

What the worker says is data that was decoded within bounds, and a claim.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograde.client.callbacks import Callbacks, ObjectReceivedError
from autograde.client.connection import Connection
from autograde.client.errors import DISTURBED, WorkerLostError, parse_student_error
from autograde.client.pipelined import PipelinedConnection
from autograde.client.reproduction import Reproduction
from autograde.wire import Channel, Handle, WireError, WireTensor, decode, encode


class Remote:
    """Stands for an object that stays in the worker."""

    _handle: Handle
    _text: str
    """what the cell to paste calls it"""


class Rpc:
    """Sends requests to the worker, and answers it when it calls a function of the grader."""

    def __init__(
        self, channel: Channel, remote: Callable[[Rpc, Handle], Remote], device: str, wall_s: float, cpu_s: float
    ) -> None:
        """`remote` makes the proxy of an object that the worker keeps; after `cpu_s` of work the worker is killed."""
        self.connection = PipelinedConnection(Connection(channel, wall_s, cpu_s))
        self.remote = remote
        self.device = device
        self.reproduction = Reproduction()
        self.callbacks = Callbacks(self.from_wire)
        self.last_target = ""
        """the submission's function that was called last in this example"""
        self.replace: Callable[[Any], Any] | None = None
        """gives a check something else instead of each answer, to see what it makes of it"""
        self.replaced = 0
        """how many answers"""
        self._answering = False
        """Does the submission wait for a callback's result?"""
        self._begin: dict[str, bool] = {}
        """goes out with the next request"""

    def begin(self) -> None:
        """A new example: before the next request the worker forgets the last one's objects and reseeds."""
        self.reproduction.clear()
        self.callbacks.functions.clear()
        self.last_target = ""
        self._begin = {"begin": True}

    def request_value(self, request: dict[str, Any]) -> Any:
        """Request one value. StudentError if the submission raised, WorkerLostError if nothing more will come."""
        return self.from_wire(self.request(request)["value"])

    def request_answer(self, request: dict[str, Any]) -> Any:
        """Request what a check judges: the result of a call, or a global."""
        return self.substitute(self.request_value(request))

    def substitute(self, value: Any) -> Any:
        """What the check gets to judge instead of this answer: itself, or with `replace` something else."""
        if self.replace is None or isinstance(value, Remote):
            return value
        self.replaced += 1
        return self.replace(value)

    def request(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and answer callbacks until the reply comes. Returns all of it, its tensors as they came.

        ObjectReceivedError inside a callback: the submission waits for its result and could not answer.
        """
        if self._answering:
            raise ObjectReceivedError
        frame = encode(request | self._begin, self._to_wire)
        self._begin = {}
        self.connection.send_request(frame)
        while "callback" in (reply := self._receive()):
            self.connection.send_answer(encode(self._answer(reply), self._to_wire))
        if "error" in reply:
            raise parse_student_error(reply["error"])
        if "value" not in reply:
            raise WorkerLostError(DISTURBED)
        return reply

    def _answer(self, call: dict[str, Any]) -> dict[str, Any]:
        """The answer to a callback. Nothing that it tries to ask of the submission leaves a trace."""
        target, lines, self._answering = self.last_target, len(self.reproduction.lines), True
        try:
            return self.callbacks.answer(call)
        finally:
            self.last_target, self._answering = target, False
            del self.reproduction.lines[lines:]

    def from_wire(self, value: Any) -> Any:
        """Turn wire data into what a test expects: tensors on the CPU, proxies for handles."""
        if isinstance(value, WireTensor):
            return value.tensor
        if isinstance(value, Handle):
            return self.remote(self, value)
        if isinstance(value, (list, tuple)):
            return type(value)(self.from_wire(item) for item in value)
        if isinstance(value, dict):
            return {key: self.from_wire(item) for key, item in value.items()}
        return value

    def _receive(self) -> dict[str, Any]:
        try:
            reply = decode(self.connection.receive())
        except WireError as error:  # not written by our side of the worker
            raise WorkerLostError(f"{DISTURBED}: {error}") from None
        if not isinstance(reply, dict):
            raise WorkerLostError(DISTURBED)
        return reply

    def _to_wire(self, thing: Any) -> Any:
        """What is sent instead of `thing`, which is no data. A TypeError here is the check's mistake."""
        if isinstance(thing, Remote):
            return thing._handle
        if callable(thing):
            return self.callbacks.name(thing)
        raise TypeError(
            f"a check passed a {type(thing).__name__}; pass data, a function, or an object of the student's"
        )

"""Pipelining: all requests of a check are sent ahead, and its calls then find their replies in memory.

A check seldom makes its requests depend on the answers. If the same requests were recorded earlier, sending them all at
once saves a round trip for each.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

from autograde.client.connection import Connection
from autograde.client.errors import OffScriptError
from autograde.client.exchange_log import ExchangeLog
from autograde.wire import begins_with

MAX_BYTES_AHEAD = 64 << 20
"""Bytes of replies that are kept before the check reads them."""


class PipelinedConnection:
    """A connection whose requests may have been sent ahead; the caller makes them as usual."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.log = ExchangeLog()
        self._sent_ahead: deque[bytes] = deque()
        """requests that the check has not made yet"""
        self._received_ahead: deque[bytes] = deque()
        """frames that the check has not read yet"""
        self._answered_ahead = 0
        """how many of those frames are callbacks that have been answered"""

    @property
    def has_unmade_requests(self) -> bool:
        """Were requests sent ahead that the check has not made?"""
        return bool(self._sent_ahead)

    def send_ahead(self, requests: list[bytes]) -> None:
        """Send these requests now. The next requests must be these, in this order, or are an OffScriptError."""
        self._sent_ahead.extend(requests)
        self.connection.queue(requests)

    def receive_ahead(self, recall_answer: Callable[[bytes], bytes | None]) -> bytes | None:
        """Wait for the replies to all requests that were sent ahead; the digest of everything received.

        `recall_answer` gives the answer to a callback that was sent at the same point earlier; a point is identified by
        the digest of everything received up to it. None if it does not know, or if more arrives than should be kept.
        """
        received, waiting, size = hashlib.sha256(), len(self._sent_ahead), 0
        while waiting and size < MAX_BYTES_AHEAD:
            frame = self.connection.receive()
            self._received_ahead.append(frame)
            size += len(frame)
            received.update(frame)
            if not begins_with(frame, "callback"):
                waiting -= 1
            elif answer := recall_answer(received.digest()):
                self.connection.send(answer)
                self._answered_ahead += 1
            else:
                return None
        return None if waiting else received.digest()

    def send_request(self, frame: bytes) -> None:
        self.log.add_request(frame)
        if not self._sent_ahead:
            self.connection.send(frame)
        elif self._sent_ahead.popleft() != frame:
            raise OffScriptError

    def receive(self) -> bytes:
        """The next reply or callback."""
        frame = self._received_ahead.popleft() if self._received_ahead else self.connection.receive()
        self.log.add_received(frame)
        return frame

    def send_answer(self, frame: bytes) -> None:
        """Answer the callback that was received last."""
        self.connection.check_deadline()
        self.log.add_answer(frame)
        if self._answered_ahead:
            self._answered_ahead -= 1
        else:
            self.connection.send(frame)

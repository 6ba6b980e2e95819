"""Frames over a pair of pipes."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from autograde.wire.codec import StandIn, decode, encode
from autograde.wire.frame import HEADER, sizes
from autograde.wire.values import DeadlineError, PeerGone

CHUNK = 1 << 18
"""bytes read by one system call, and the most that is allocated for bytes that have not arrived"""
PIECES = 64
"""frames written by one system call"""


@dataclass
class Channel:
    """One end of a pair of pipes that carries frames. Not for several threads."""

    read_fd: int
    write_fd: int
    arrived: bytearray = field(default_factory=bytearray)
    """bytes read that belong to the next frames"""
    leaving: deque[memoryview] = field(default_factory=deque)
    """queued frames"""

    def send(self, value: Any, stand_in: StandIn | None = None, deadline: float | None = None) -> None:
        """Write one frame. PeerGone or DeadlineError (by `time.monotonic`) if the other side does not read it."""
        self.send_frame(encode(value, stand_in), deadline)

    def send_frame(self, frame: bytes, deadline: float | None = None) -> None:
        self.queue(frame)
        while self.leaving:
            if not self._write():
                _await({self.write_fd: select.POLLOUT}, deadline)

    def queue(self, frame: bytes) -> None:
        """Write the frame together with the next one that is sent, or while waiting for one."""
        self.leaving.append(memoryview(frame))

    def receive(self, deadline: float | None = None) -> Any:
        """Read one frame's value."""
        return decode(self.receive_frame(deadline))

    def receive_frame(self, deadline: float | None = None) -> bytes:
        """Read one frame. Memory grows with what arrives, not with what its header promises."""
        size = self._frame_size(self._read_first(HEADER.size, deadline))
        frame = self._read_first(size, deadline)
        del self.arrived[:size]
        return frame

    def has_frame(self) -> bool:
        """Has a whole frame arrived? WireError if the bytes are not a frame."""
        arrived = len(self.arrived)
        return arrived >= HEADER.size and arrived >= self._frame_size(bytes(self.arrived[: HEADER.size]))

    def _frame_size(self, header: bytes) -> int:
        """The size of a whole frame with this header."""
        return HEADER.size + sum(sizes(header))

    def _write(self) -> bool:
        """Write some of the queued frames; False if the pipe is full."""
        try:
            written = os.writev(self.write_fd, list(islice(self.leaving, PIECES)))
        except BlockingIOError:
            return False
        except BrokenPipeError:
            raise PeerGone from None
        while written:
            piece = self.leaving.popleft()
            if written < len(piece):
                self.leaving.appendleft(piece[written:])
            written -= min(written, len(piece))
        return True

    def _read_first(self, size: int, deadline: float | None) -> bytes:
        """Wait for `size` bytes and return them, without consuming them."""
        while len(self.arrived) < size:
            try:
                chunk = os.read(self.read_fd, CHUNK)
            except BlockingIOError:
                if not (self.leaving and self._write()):
                    leaving = {self.write_fd: select.POLLOUT} if self.leaving else {}
                    _await({self.read_fd: select.POLLIN} | leaving, deadline)
                continue
            if not chunk:
                raise PeerGone
            self.arrived += chunk
        return bytes(self.arrived[:size])

    def close(self) -> None:
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)


def _await(events: dict[int, int], deadline: float | None) -> None:
    """Wait until one of the descriptors is ready for its event; DeadlineError when that is too late."""
    poll = select.poll()
    for fd, event in events.items():
        poll.register(fd, event)
    if not poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000):
        raise DeadlineError

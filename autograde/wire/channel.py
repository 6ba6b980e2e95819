"""Frames over a pair of pipes."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass, field
from typing import Any

from autograde.wire.codec import HEADER, Stand, decode, encode, sizes
from autograde.wire.values import DeadlineError, PeerGone

CHUNK = 1 << 18
"""Bytes per system call; also all that is ever set aside for bytes that were only announced."""


@dataclass
class Channel:
    """One end of a pair of pipes that carries frames. Not for several threads."""

    read_fd: int
    write_fd: int
    arrived: bytearray = field(default_factory=bytearray)
    """bytes read that belong to the next frame"""

    def send(self, value: Any, stand_in: Stand | None = None, deadline: float | None = None) -> None:
        """Write one frame. PeerGone or DeadlineError (by `time.monotonic`) if the other side does not read it."""
        self.send_frame(encode(value, stand_in), deadline)

    def send_frame(self, frame: bytes, deadline: float | None = None) -> None:
        left = memoryview(frame)
        while left:
            try:
                left = left[os.write(self.write_fd, left[:CHUNK]) :]
            except BlockingIOError:
                _await(self.write_fd, select.POLLOUT, deadline)
            except BrokenPipeError:
                raise PeerGone from None

    def receive(self, deadline: float | None = None) -> Any:
        """Read one frame. Memory grows with what arrives, not with what its header promises."""
        structure_size, payload_size = sizes(self._first(HEADER.size, deadline))
        size = HEADER.size + structure_size + payload_size
        frame = self._first(size, deadline)
        del self.arrived[:size]
        return decode(frame)

    def _first(self, size: int, deadline: float | None) -> bytes:
        """The first `size` bytes that have arrived and are not yet taken; waits until there are so many."""
        while len(self.arrived) < size:
            try:
                chunk = os.read(self.read_fd, CHUNK)
            except BlockingIOError:
                _await(self.read_fd, select.POLLIN, deadline)
                continue
            if not chunk:
                raise PeerGone
            self.arrived += chunk
        return bytes(self.arrived[:size])

    def close(self) -> None:
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)


def _await(fd: int, event: int, deadline: float | None) -> None:
    """Wait until `fd` is ready; DeadlineError when that is too late."""
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000):
        raise DeadlineError

"""Frames over a pair of pipes."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass
from typing import Any

from autograde.wire.codec import HEADER, Stand, decode, encode, sizes
from autograde.wire.values import DeadlineError, PeerGone


@dataclass
class Channel:
    """One end of a pair of pipes that carries frames. Not for several threads."""

    read_fd: int
    write_fd: int

    def send(self, value: Any, stand_in: Stand | None = None, deadline: float | None = None) -> None:
        """Write one frame. PeerGone or DeadlineError (by `time.monotonic`) if the other side does not read it."""
        self.send_frame(encode(value, stand_in), deadline)

    def send_frame(self, frame: bytes, deadline: float | None = None) -> None:
        left = memoryview(frame)
        while left:
            _await(self.write_fd, select.POLLOUT, deadline)
            try:
                left = left[os.write(self.write_fd, left[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise PeerGone from None

    def receive(self, deadline: float | None = None) -> Any:
        """Read one frame. Memory grows with what arrives, not with what its header promises."""
        header = self._read(HEADER.size, deadline)
        structure_size, payload_size = sizes(header)
        return decode(header + self._read(structure_size + payload_size, deadline))

    def _read(self, size: int, deadline: float | None) -> bytearray:
        data = bytearray()
        while len(data) < size:
            _await(self.read_fd, select.POLLIN, deadline)
            try:
                chunk = os.read(self.read_fd, min(size - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not chunk:
                raise PeerGone
            data += chunk
        return data

    def close(self) -> None:
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)


def _await(fd: int, event: int, deadline: float | None) -> None:
    """Wait until `fd` is ready. With no deadline the descriptor itself blocks, which costs one call less."""
    if deadline is None:
        return
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise DeadlineError

"""The connection to one fork of a submission. Every wait ends at the check's deadline, and every end has its reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from autograde.client.errors import DISTURBED, WorkerLostError
from autograde.wire import Channel, DeadlineError, PeerGone, WireError


class Connection:
    """Sends and receives frames; WorkerLostError if nothing more will come."""

    def __init__(self, channel: Channel, wall_s: float, cpu_s: float) -> None:
        """The check ends after `wall_s`. After `cpu_s` of work the worker is killed."""
        self.channel = channel
        self.wall_s = wall_s
        self.cpu_s = cpu_s
        self.start = time.monotonic()
        self.deadline = self.start + wall_s

    def send(self, frame: bytes) -> None:
        with self._translate_errors():
            self.channel.send_frame(frame, self.deadline)

    def queue(self, frames: list[bytes]) -> None:
        """Send these with the next frame, or while waiting for one."""
        self.channel.queue(b"".join(frames))

    def receive(self) -> bytes:
        with self._translate_errors():
            return self.channel.receive_frame(self.deadline)

    def check_deadline(self) -> None:
        """WorkerLostError if it is over. A submission that always has a frame ready never lets a wait end."""
        with self._translate_errors():
            if time.monotonic() > self.deadline:
                raise DeadlineError

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except DeadlineError:
            raise WorkerLostError(f"your code did not finish within {self.wall_s:g} s", timed_out=True) from None
        except PeerGone:
            raise self._explain_loss() from None
        except WireError as error:  # not written by our side of the worker
            raise WorkerLostError(f"{DISTURBED}: {error}") from None

    def _explain_loss(self) -> WorkerLostError:
        """Why the worker is gone, as far as this side can tell: by the clock, since a submission may end itself."""
        if time.monotonic() - self.start >= self.cpu_s:
            return WorkerLostError(f"your code did not finish within {self.cpu_s:g} s of computing", timed_out=True)
        return WorkerLostError("your code ended its own process")

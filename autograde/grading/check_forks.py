"""Which fork of a submission answers which check: one serves all checks for as long as they pass.

A fork of a process that holds torch costs more than most checks compute. What a check leaves behind in it may not cost
a point, so a check that does not pass there is tried again in a fresh fork, and that one's word counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from autograde.client.student import Student
from autograde.course import Limits
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import WardenLostError
from autograde.wire import Channel

SPARE = 1
"""forks beyond one for each check that a submission may need"""


class CheckForks:
    """The forks of one running submission. Close it, or use it as a context."""

    def __init__(self, running: RunningSubmission, limits: Limits, device: str) -> None:
        self.running = running
        self.limits = limits
        self.device = device
        self.opened = 0
        self.spare = SPARE
        """forks that no check has used which may still be given up for another"""
        self.fork = ExitStack()
        self.channel: Channel | None = None

    @contextmanager
    def student(self) -> Iterator[Student]:
        """The student for the next check; opens one fork at most, and in SPARE checks two."""
        used = self.channel is not None

        def fresh_fork() -> Student:
            self.spare -= not used
            self.close()
            return self._student(self._open())

        yield self._student(
            self.channel or self._open(), fresh_fork=fresh_fork if used or self.spare else None, used=used
        )

    def close(self) -> None:
        """End the open fork, if there is one: after a check that did not pass, or the last one.

        WardenLostError if something of it is still running.
        """
        self.channel = None
        self.fork.close()

    def __enter__(self) -> CheckForks:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(WardenLostError):  # every verdict is in, and what is left ends with the submission
            self.close()

    def _open(self) -> Channel:
        number, self.opened = self.opened, self.opened + 1
        self.channel = self.fork.enter_context(self.running.check(number))
        return self.channel

    def _student(self, channel: Channel, **more: Any) -> Student:
        limits = self.limits
        return Student(channel, device=self.device, wall_s=limits.check_wall_s, cpu_s=limits.check_cpu_s, **more)

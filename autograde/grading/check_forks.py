"""Decides which fork of a submission answers which check: one fork serves all checks as long as they pass.

Forking a process that has imported torch takes longer than most checks. State that an earlier check left behind must
not cost a point, so a check that fails in a used fork runs again in a fresh fork, and the second result counts.
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
"""how many more forks than checks a submission may use"""


class CheckForks:
    """The forks of one running submission. Close it, or use it as a context."""

    def __init__(self, running: RunningSubmission, limits: Limits, device: str) -> None:
        self.running = running
        self.limits = limits
        self.device = device
        self.forks_opened = 0
        self.spare = SPARE
        """how many unused forks may still be replaced"""
        self.fork = ExitStack()
        self.channel: Channel | None = None

    @contextmanager
    def open_student(self) -> Iterator[Student]:
        """The student for the next check. Opens at most one fork, or two for SPARE of the checks."""
        used = self.channel is not None

        def open_fresh_fork() -> Student:
            self.spare -= not used
            self.close()
            return self._make_student(self._open())

        yield self._make_student(
            self.channel or self._open(), fresh_fork=open_fresh_fork if used or self.spare else None, used=used
        )

    def close(self) -> None:
        """End the open fork, if there is one: after a check that did not pass, or after the last check.

        Raises WardenLostError if one of its processes is still running.
        """
        self.channel = None
        self.fork.close()

    def __enter__(self) -> CheckForks:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(WardenLostError):  # all verdicts are known, and remaining processes end with the submission
            self.close()

    def _open(self) -> Channel:
        number, self.forks_opened = self.forks_opened, self.forks_opened + 1
        self.channel = self.fork.enter_context(self.running.check(number))
        return self.channel

    def _make_student(self, channel: Channel, **more: Any) -> Student:
        limits = self.limits
        return Student(channel, device=self.device, wall_s=limits.check_wall_s, cpu_s=limits.check_cpu_s, **more)

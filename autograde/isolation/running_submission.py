"""The trusted side of a worker: runs a submission's notebook in it, forks it for its checks, and makes sure it ends.

Nothing that comes back is trusted. Every wait has a deadline. A worker fails with one of four exceptions:
WorkerCrashedError or WorkerTimeoutError (the submission's fault), WardenLostError or ZygoteError (the engine's).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from autograde.course import Limits
from autograde.isolation import scratch_folder
from autograde.isolation.cell_runs import parse_cell_run
from autograde.isolation.zygote_client import WardenLostError, ZygoteError
from autograde.report import CellRun
from autograde.sockets import message_pair, send_descriptors
from autograde.wire import Channel, DeadlineError, PeerGone, WireError

ANSWER_S = 15.0
LEAVE_S = 0.5


class WorkerCrashedError(Exception):
    """The submission's process died or sent something that is not an answer; the text says which."""


class WorkerTimeoutError(Exception):
    """The submission's process did not answer in time."""


class RunningSubmission:
    """One submission in the worker: its notebook has run, its checks can be asked. Close it, or use it as a context."""

    def __init__(
        self,
        zygote: socket.socket,
        cells: list[tuple[str, str]],
        *,
        limits: Limits,
        checks: int,
        data: tuple[Path, ...] = (),
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        """Run `cells` (id, source) in a fresh worker that can then be forked for up to `checks` checks.

        `zygote` is the control socket of one that is ready; several graders may share it.
        """
        self.limits = limits
        self.cells: list[CellRun] = []
        self.problem = ""
        """why no check can run, or empty"""
        self.fatal_cell = ""
        """id of the cell that ended the notebook's process, or kept it beyond its time"""
        self.timed_out = False
        self.open_fds: set[int] = set()
        self.ended = False
        self.control, wardens_end = message_pair()
        self.scratch = scratch_folder.make(data)
        request = {"scratch": self.scratch, "limits": _encode_limits(limits), "device": device, "seed": seed}
        try:
            self._start(zygote, msgspec.json.encode(request), wardens_end, checks)
            self._run_notebook(cells)
        except BaseException:
            self.close()
            raise

    def _start(self, zygote: socket.socket, request: bytes, wardens_end: socket.socket, checks: int) -> None:
        """Have the zygote fork this submission's warden, and send it the other end of every channel."""
        theirs: list[int] = []
        try:
            self.notebook = self._open_channel(theirs)
            self.channels = [self._open_channel(theirs) for _ in range(checks)]
            try:
                send_descriptors(zygote, request, [wardens_end.fileno(), *theirs])
            except OSError as error:
                raise ZygoteError(f"the zygote is gone ({error})") from None
        finally:
            wardens_end.close()
            for fd in theirs:
                os.close(fd)

    def _open_channel(self, theirs: list[int]) -> Channel:
        """A channel for this side; the other side's descriptors, read and write, are added to `theirs`."""
        their_read, our_write = os.pipe()
        theirs.append(their_read)
        self.open_fds.add(our_write)
        our_read, their_write = os.pipe()
        theirs.append(their_write)
        self.open_fds.add(our_read)
        for fd in (our_read, our_write):
            os.set_blocking(fd, False)
        return Channel(our_read, our_write)

    def _run_notebook(self, cells: list[tuple[str, str]]) -> None:
        try:
            answer = self.notebook.receive(time.monotonic() + ANSWER_S)
        except (DeadlineError, PeerGone, WireError):
            answer = {"why": "it ended first"}
        if answer != {"confined": True}:
            raise ZygoteError(f"a worker could not be confined ({answer.get('why')}); run `course doctor`")
        deadline = time.monotonic() + self.limits.notebook_wall_s
        try:
            self.notebook.send({"cells": [list(cell) for cell in cells]}, deadline=deadline)
            for name, _ in cells:
                self.fatal_cell = name
                self.cells.append(parse_cell_run(self.notebook.receive(deadline), name))
            self.fatal_cell = ""
        except DeadlineError:
            self.timed_out = True
            self.problem = f"the notebook did not finish within {self.limits.notebook_wall_s:g} s"
            self._end()
        except PeerGone:
            self.problem = f"the notebook ended its own process {self._find_cause_of_death()}"
        except WireError as error:
            self.problem = f"the notebook disturbed the grader's connection: {error}"
            self._end()
        self._sweep()

    @contextlib.contextmanager
    def check(self, number: int) -> Iterator[Channel]:
        """A channel to a fresh fork of the worker; whatever it leaves running is killed afterwards."""
        if self.problem:
            raise WorkerTimeoutError(self.problem) if self.timed_out else WorkerCrashedError(self.problem)
        channel = self.channels[number]
        try:
            self._send_to_session({"check": number})
            yield channel
        finally:
            for fd in (channel.read_fd, channel.write_fd):
                os.close(fd)
                self.open_fds.discard(fd)
            # The fork ends by itself when its pipes close; only one that does not must be killed.
            ended = self._session_is_ready(number, LEAVE_S)
            self._sweep()
            if not ended:
                self._await_session(number)

    def _send_to_session(self, command: dict[str, Any]) -> None:
        try:
            self.control.send(b"fork")
            self.notebook.send(command, deadline=time.monotonic() + ANSWER_S)
        except OSError as error:
            raise WardenLostError(f"the warden of a submission is gone ({error})") from None
        except (PeerGone, DeadlineError):
            self.problem = "the notebook's process ended before its checks"
            raise WorkerCrashedError(self.problem) from None

    def _await_session(self, number: int) -> None:
        """After a check the session must be ready for the next; if it is not, no other check can run."""
        if not self._session_is_ready(number, ANSWER_S):
            self.problem = self.problem or "the notebook's process ended during a check"

    def _session_is_ready(self, number: int, wait_s: float) -> bool:
        """Has the session seen the end of its fork?"""
        if self.problem:
            return False
        try:
            if self.notebook.receive(time.monotonic() + wait_s) == {"done": number}:
                return True
            self.problem = "the notebook disturbed the grader's connection"
        except DeadlineError:
            return False
        except (PeerGone, WireError):
            self.problem = "the notebook's process ended during a check"
        return False

    def _sweep(self) -> None:
        """Kill every process of the submission but the session itself."""
        if self.ended:
            return
        self.control.settimeout(ANSWER_S)
        try:
            self.control.send(b"sweep")
            if self.control.recv(16) != b"swept":
                raise WardenLostError("a submission's process could not be killed")
        except (OSError, TimeoutError) as error:
            raise WardenLostError(f"the warden of a submission is gone ({error})") from None

    def _find_cause_of_death(self) -> str:
        status = self._end(b"died")
        if status is None or status == -1:
            return "or closed its connection"
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            if number in (signal.SIGXCPU, signal.SIGKILL):
                self.timed_out = number == signal.SIGXCPU
                return "by using more processor time, memory or disk than the course allows"
            return f"(killed by {_name_signal(number)})"
        return f"(exit status {os.WEXITSTATUS(status)})"

    def _end(self, command: bytes = b"end") -> int | None:
        """Kill everything, once; return the session's wait status, -1 if it was still running."""
        if self.ended:
            return None
        self.ended = True
        self.control.settimeout(ANSWER_S)
        try:
            self.control.send(command)
            ended = msgspec.json.decode(self.control.recv(1 << 10))
            return int(ended["status"])
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None

    def close(self) -> None:
        """Kill what is left, close every descriptor, remove the scratch folder."""
        self._end()
        self.control.close()
        for fd in self.open_fds:
            os.close(fd)
        self.open_fds.clear()
        scratch_folder.remove(self.scratch)

    def __enter__(self) -> RunningSubmission:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _name_signal(number: int) -> str:
    """The signal's name or number: most real-time signals have no name."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def _encode_limits(limits: Limits) -> dict[str, float]:
    return {
        "check_cpu_s": round(limits.check_cpu_s),
        "notebook_cpu_s": round(max(limits.notebook_wall_s, limits.check_cpu_s)),
        "cell_wall_s": limits.cell_wall_s,
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes,
        "scratch_bytes": limits.scratch_bytes,
        "output_bytes": limits.output_bytes,
    }

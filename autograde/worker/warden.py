"""The trusted parent of one submission: it runs no student code and sees to it that nothing of the submission survives.

The grader sends commands over a socket that the submission never holds: `fork` permits the session one more process,
`sweep` kills every process of the submission but the session, `end` (or a closed socket) kills all, `died` does so once
a session that closed its pipes has had time to exit. The warden adopts orphans, so it also finds a daemon that detaches
itself. It measures what the kernel does not limit (the scratch folder; memory on CUDA), and kills a submission that
exceeds it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from autograde.sockets import message_pair
from autograde.worker import confinement, limits, session
from autograde.worker.confinement.permits import Permits
from autograde.worker.launch_request import LaunchRequest
from autograde.worker.processes import descendants, kill_descendants
from autograde.worker.quota import Memory, Quota

CONFINED_S = 15.0
QUOTA_MS = 200
EXIT_S = 2.0
"""a process closes its pipes a moment before its exit status is available"""


class Ended(msgspec.Struct, frozen=True):
    """How the session ended: its wait status, and whether every process of the submission is gone."""

    status: int
    all_gone: bool


def watch(request: LaunchRequest, fds: list[int], shell: Any, layers: confinement.Layers) -> None:
    """Fork the session, obey the grader, and leave nothing behind."""
    control_fd, *session_fds = fds
    zygote = os.getppid()
    ours, theirs = message_pair()
    limits.adopt_orphans()
    limits.hide_memory()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    warden = os.getpid()
    pid = os.fork()
    if pid == 0:
        limits.die_with_parent(warden)
        session.run(request, session_fds, shell, layers, theirs)
        os._exit(0)
    theirs.close()
    for fd in session_fds:
        os.close(fd)
    control = socket.socket(fileno=control_fd)
    exceeds_limits = _make_excess_test(request)
    status = _obey(control, zygote, pid, _receive_permits(ours, pid), exceeds_limits)
    all_gone = kill_descendants(spare=None)
    with suppress(OSError):  # the grader may be gone
        control.send(msgspec.json.encode(Ended(status, all_gone)))


def _receive_permits(from_session: socket.socket, session_pid: int) -> Permits | None:
    """The listener that the session sends before its first cell; None where forks need no permit."""
    from_session.settimeout(CONFINED_S)
    listeners: list[int] = []
    with from_session, suppress(TimeoutError):  # the session died before; `_obey` notices
        _, listeners, _, _ = socket.recv_fds(from_session, 16, 1)
    return Permits(listeners[0], session_pid) if listeners else None


def _make_excess_test(request: LaunchRequest) -> Callable[[], bool]:
    """A test of whether the submission exceeds its disk space or, on CUDA, its memory."""
    quota, memory = Quota(request.scratch, request.limits.scratch_bytes), Memory(request.limits.memory_bytes)
    if request.device == "cpu":  # the kernel limits memory there
        return quota.exceeded
    return lambda: quota.exceeded() or memory.exceeded(descendants(os.getpid()))


def _obey(
    control: socket.socket, zygote: int, session_pid: int, permits: Permits | None, exceeds_limits: Callable[[], bool]
) -> int:
    """Obey the grader until it says `end` or is gone. Returns the session's wait status, -1 if it still ran."""
    status = -1
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if permits:
        poll.register(permits.listener, select.POLLIN)
    while os.getppid() == zygote:
        # The grader first: it announces a fork before the session makes it.
        for fd, event in sorted(poll.poll(QUOTA_MS), key=lambda ready: ready[0] != control.fileno()):
            if permits and fd == permits.listener:
                permits.answer() if event & select.POLLIN else poll.unregister(fd)
                continue
            command = control.recv(16)
            if command == b"fork":
                if permits:
                    permits.left += 1
                continue
            status = status if status != -1 else _status(session_pid, EXIT_S if command == b"died" else 0)
            if command != b"sweep":
                return status
            gone = kill_descendants(spare=session_pid if status == -1 else None)
            control.send(b"swept" if gone else b"stuck")
        status = status if status != -1 else _status(session_pid)
        if status == -1 and exceeds_limits():
            kill_descendants(spare=None)
            status = signal.SIGKILL
    return status


def _status(pid: int, wait_s: float = 0) -> int:
    """The wait status of a child that ended, or does so within `wait_s`; -1 if it has not."""
    deadline = time.monotonic() + wait_s
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() >= deadline:
            return -1
        time.sleep(0.002)

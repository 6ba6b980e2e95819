"""The trusted parent of one submission: it runs no student code and sees to it that nothing of the submission survives.

The grader speaks to it over a socket that the submission never holds: `fork` permits the session one more process,
`sweep` kills every process of the submission but the session, `end` (or silence: the grader is gone) kills all, `died`
does so once a session that hung up has had time to exit. The warden adopts orphans, so a daemon that detaches itself is
still found. It also measures what no limit of the kernel counts (the scratch folder; memory on CUDA), and ends whoever
takes more.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from autograde.worker import confinement, limits, session
from autograde.worker.confinement.permits import Permits
from autograde.worker.quota import Memory, Quota
from autograde.worker.request import Request

KILL_S = 5.0
QUOTA_MS = 200
EXIT_S = 2.0
"""A process closes its pipes a moment before its exit status can be had."""


class Ended(msgspec.Struct, frozen=True):
    """How the session ended: its wait status, and whether every process of the submission is gone."""

    status: int
    all_gone: bool


def watch(request: Request, fds: list[int], shell: Any, layers: confinement.Layers) -> None:
    """Fork the session, obey the grader, and leave nothing behind."""
    control_fd, *session_fds = fds
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
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
    too_much = _too_much(request)
    status = _obey(control, pid, _permits(ours, pid), too_much)
    all_gone = _kill_descendants(spare=None)
    control.send(msgspec.json.encode(Ended(status, all_gone)))


def _permits(from_session: socket.socket, session_pid: int) -> Permits | None:
    """The listener that the session hands over before its first cell; None where forks need no permit."""
    _, listeners, _, _ = socket.recv_fds(from_session, 16, 1)
    from_session.close()
    return Permits(listeners[0], session_pid) if listeners else None


def _too_much(request: Request) -> Callable[[], bool]:
    """Has the submission more on disk, or on CUDA in memory, than it may?"""
    quota, memory = Quota(request.scratch, request.limits.scratch_bytes), Memory(request.limits.memory_bytes)
    if request.device == "cpu":  # there the kernel bounds memory, exactly
        return quota.exceeded
    return lambda: quota.exceeded() or memory.exceeded(_descendants(os.getpid()))


def _obey(control: socket.socket, session_pid: int, permits: Permits | None, too_much: Callable[[], bool]) -> int:
    """Answer the grader until it says `end` or goes away. Returns the session's wait status, -1 if it still ran."""
    status = -1
    poll = select.poll()
    poll.register(control, select.POLLIN)
    exited = os.pidfd_open(session_pid)
    poll.register(exited, select.POLLIN)
    if permits:
        poll.register(permits.listener, select.POLLIN)
    while True:
        # In this order: the grader's word on a fork was sent before the fork that it permits.
        for fd, event in sorted(poll.poll(QUOTA_MS), key=lambda ready: ready[0] != control.fileno()):
            if permits and fd == permits.listener:
                permits.answer() if event & select.POLLIN else poll.unregister(fd)
                continue
            if fd == exited:
                _, status = os.waitpid(session_pid, 0)
                poll.unregister(exited)
                continue
            command = control.recv(16)
            if command == b"fork":
                if permits:
                    permits.left += 1
                continue
            if command == b"sweep":
                gone = _kill_descendants(spare=session_pid if status == -1 else None)
                control.send(b"swept" if gone else b"stuck")
                continue
            if command == b"died" and status == -1 and select.select([exited], [], [], EXIT_S)[0]:
                _, status = os.waitpid(session_pid, 0)
            return status
        if status == -1 and too_much():
            _kill_descendants(spare=None)
            status = signal.SIGKILL
            poll.unregister(exited)


def _kill_descendants(spare: int | None) -> bool:
    """Kill and reap everything below this process except `spare`; True when nothing else is left."""
    deadline = time.monotonic() + KILL_S
    while time.monotonic() < deadline:
        doomed = [pid for pid in _descendants(os.getpid()) if pid != spare]
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        _reap(spare)
        if not doomed:
            return True
        time.sleep(0.001)
    return False


def _reap(spare: int | None) -> None:
    for pid in _children(os.getpid()):
        if pid != spare:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def _descendants(pid: int) -> list[int]:
    """Every process below `pid`; a zombie that its own parent has still to reap does not count."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = [child for child in _children(waiting.pop()) if not _is_zombie(child)]
        found += children
        waiting += children
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except OSError:  # it ended while we looked
        pass
    return children


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # a process names itself, in whatever bytes it likes
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 :][:1] == b"Z"

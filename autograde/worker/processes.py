"""Finds and kills the processes of a submission, for its warden."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

KILL_S = 5.0


def kill_descendants(spare: int | None) -> bool:
    """Kill and reap everything below this process except `spare`; True when nothing else is left."""
    deadline = time.monotonic() + KILL_S
    while time.monotonic() < deadline:
        doomed = [pid for pid in descendants(os.getpid()) if pid != spare]
        for pid in doomed:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            _reap(pid)
        if not doomed:
            return True
        time.sleep(0.001)
    return False


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:  # its own parent is still there
        pass


def descendants(pid: int) -> list[int]:
    """Every process below `pid`; a zombie that its own parent has still to reap does not count."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = [child for child in _children(waiting.pop()) if child not in found]
        found += below
        waiting += below
    return found


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except OSError:  # it ended while we looked
        pass
    return [child for child in children if not _is_zombie(child)]


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()  # a process names itself, in whatever bytes it likes
    except OSError:
        return True
    return stat[stat.rindex(b")") + 2 :][:1] == b"Z"

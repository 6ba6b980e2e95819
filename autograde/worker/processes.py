"""Which processes a submission has, and that they end. For its warden."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

KILL_S = 5.0
TASKS = Path("/proc/self/task")
PS = ["/bin/ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]


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
    children = _children if TASKS.exists() else _children_by_ps(pid)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = [child for child in children(waiting.pop()) if child not in found]
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


def _children_by_ps(warden: int) -> Callable[[int], list[int]]:
    """Where /proc does not say. No warden adopts orphans there, so who shares its process group counts as its child."""
    listing = subprocess.Popen(PS, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    table, _ = listing.communicate()
    group, found = os.getpgid(warden), defaultdict(list)
    for row in table.splitlines():
        pid, parent, its_group, state = row.split(None, 3)
        if int(pid) in (warden, listing.pid) or state.startswith(b"Z"):
            continue
        found[int(parent)].append(int(pid))
        if int(its_group) == group and int(parent) != warden:
            found[warden].append(int(pid))
    return lambda pid: found[pid]

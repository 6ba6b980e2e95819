"""CPU seconds of a command and of all processes that it starts, including those that outlive it or are not waited for.

getrusage misses the workers: the process that forks them ignores SIGCHLD, and then no process inherits their times.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
ITS_PROCESSES = "of all processes it started"
WHOLE_MACHINE = "of the whole machine, right only where nothing else runs"


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float
    counted: str
    """which processes the CPU seconds cover"""


def run(command: list[str], folder: Path) -> tuple[int, str, Cost]:
    """Exit status, output and cost of `command`."""
    group = _group()
    before, start = _cpu_s(group), time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=(lambda: _enter(group)) if group else None,
    )
    wall_s = time.perf_counter() - start
    if group:
        _wait_until_empty(group)
    cost = Cost(wall_s, _cpu_s(group) - before, ITS_PROCESSES if group else WHOLE_MACHINE)
    if group:
        with suppress(OSError):
            group.rmdir()
    return done.returncode, done.stdout, cost


_counting: list[tuple[Path | None, float]] = []


@contextmanager
def counted() -> Iterator[None]:
    """Count the CPU seconds of this process and of the processes that the block starts; `so_far` returns them."""
    group = _group()
    if group:
        _enter(group)
    _counting.append((group, _cpu_s(group)))
    try:
        yield
    finally:
        _counting.pop()
        if group:
            (group.parent / "cgroup.procs").write_text(str(os.getpid()))
            _wait_until_empty(group)
            with suppress(OSError):
                group.rmdir()


def so_far() -> float:
    group, before = _counting[-1]
    return _cpu_s(group) - before


def _group() -> Path | None:
    """A new control group that counts CPU time; None if this account may not create one."""
    for parent in (CGROUPS / "cpuacct", CGROUPS):
        with suppress(OSError):
            group = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
            if (group / "cpuacct.usage").exists() or (group / "cpu.stat").exists():
                return group
            group.rmdir()
    return None


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))


def _wait_until_empty(group: Path, at_most_s: float = 10.0) -> None:
    end = time.monotonic() + at_most_s
    while (group / "cgroup.procs").read_text().strip() and time.monotonic() < end:
        time.sleep(0.05)


def _cpu_s(group: Path | None) -> float:
    if group is None:
        user, nice, system = (int(ticks) for ticks in Path("/proc/stat").read_text().split(None, 4)[1:4])
        return (user + nice + system) / os.sysconf("SC_CLK_TCK")
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    usage = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(usage["usage_usec"]) / 1e6

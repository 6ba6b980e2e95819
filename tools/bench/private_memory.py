"""Measures the private memory of the processes of a grading run, by role.

Private memory is what the end of the process would free: pages that no other process maps (`Private_*` of
/proc/PID/smaps_rollup). Memory that a fork shares with its parent counts for neither.
"""

from __future__ import annotations

import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Held:
    """Private bytes at one moment."""

    main: int = 0
    zygote: int = 0
    """resident bytes, because nearly all of its memory is shared with the submissions forked from it"""
    graders: list[int] = field(default_factory=list)
    submissions: list[int] = field(default_factory=list)
    """bytes of each submission in a worker: its warden, its session and the running check together"""


def private_bytes(pid: int) -> int:
    """The process's private bytes; 0 if it has ended or may not be inspected."""
    return _sum(pid, "Private_")


def _sum(pid: int, kind: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) << 10


def held(main: psutil.Process) -> Held:
    """The current memory of `main`, which runs a GraderPool, and of its child processes."""
    graders, submissions, zygote = [], [], 0
    with suppress(psutil.NoSuchProcess):
        for child in main.children():
            words = " ".join(child.cmdline())
            if "multiprocessing.forkserver" in words:
                graders += [private_bytes(grader.pid) for grader in child.children(recursive=True)]
            elif "multiprocessing.resource_tracker" not in words:
                zygote = _sum(child.pid, "Rss:")
                submissions += [_tree(guard) for guard in child.children()]
    return Held(private_bytes(main.pid), zygote, graders, submissions)


def _tree(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):
        below = [child.pid for child in process.children(recursive=True)]
        return sum(map(private_bytes, [process.pid, *below]))
    return 0


def peak(command: list[str], folder: Path, every_s: float = 0.1) -> Held:
    """Run `command`, sample the memory of its processes, and return the maximum for each role."""
    most = Held()
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        main, tick = psutil.Process(running.pid), threading.Event()
        while running.poll() is None:
            now = held(main)
            most = Held(
                max(most.main, now.main),
                max(most.zygote, now.zygote),
                [max([*most.graders, *now.graders], default=0)],
                [max([*most.submissions, *now.submissions], default=0)],
            )
            tick.wait(every_s)
    return most

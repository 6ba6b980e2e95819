"""The pytest plugin behind the mark `machine`: detects the abilities of the machine that a test may need.

A test is marked `@pytest.mark.machine("tree", "landlock")`; if one of these is missing, the test is skipped with the
reason given here. The engine's own detection decides whether the machine has a layer of the confinement.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest
import torch

from autograde.isolation.confinement_probes import LEVELS
from autograde.worker import confinement

CGROUPS = Path("/sys/fs/cgroup")
IO_URING_OFF = Path("/proc/sys/kernel/io_uring_disabled")


@cache
def layers() -> dict[str, object]:
    """The layers of the confinement that work on this machine."""
    found: dict[str, object] = msgspec.to_builtins(confinement.detect_layers())
    return found


def chromium() -> str | None:
    """The path of Chromium; None if it is not installed."""
    return shutil.which("chromium") or shutil.which("google-chrome")


def postgres_programs() -> Path | None:
    """The folder of initdb and postgres, which Debian's package `postgresql` does not put on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


def _is_root() -> bool:
    return os.geteuid() == 0


def _confines() -> bool:
    return any(all(layers().get(name) for name in needed) for needed in LEVELS.values())


def _confines_on_cuda() -> bool:
    """CUDA's driver needs a writable /proc, which for root is safe only in a separate file tree."""
    return _confines() and (bool(layers()["tree"]) or not _is_root())


@cache
def _mounts() -> bool:
    if not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode == 0
        return mounted and subprocess.run(["umount", folder], capture_output=True).returncode == 0


@cache
def _makes_control_groups() -> bool:
    for parent in (CGROUPS / "cpuacct", CGROUPS):
        group = parent / f"probe-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            return (group / "cgroup.procs").exists() and os.access(group / "cgroup.procs", os.W_OK)
        finally:
            group.rmdir()
    return False


MACHINE: dict[str, tuple[Callable[[], object], str]] = {
    "landlock": (lambda: layers()["landlock"], "this kernel has no Landlock"),
    "seccomp": (lambda: layers()["seccomp"], "system calls cannot be filtered here"),
    "permits": (lambda: layers()["permits"], "this kernel gives no listener for new processes"),
    "namespaces": (lambda: layers()["namespaces"], "this account may not make user and network namespaces here"),
    "tree": (lambda: layers()["tree"], "a process cannot have a file tree of its own here"),
    "confinement": (_confines, "submissions cannot be confined here: neither level B nor level C"),
    "confinement on CUDA": (
        _confines_on_cuda,
        "submissions cannot be confined on CUDA here: root needs a file tree of its own, any account level B or C",
    ),
    "CUDA": (torch.cuda.is_available, "torch sees no CUDA device on this machine"),
    "root": (_is_root, "only root can write to the machine's own files in /proc"),
    "mounts": (_mounts, "this account may not mount a small disk"),
    "control groups": (_makes_control_groups, "this account may not make control groups"),
    "chromium": (chromium, "pages are not tried in a browser: apt-get install chromium"),
    "PostgreSQL": (postgres_programs, "PostgreSQL is not installed; `apt-get install postgresql` to test it"),
}
"""ability -> (function that detects it, reason for skipping a test without it)"""


def skip_without(*abilities: str) -> None:
    """Skip the current test if the machine lacks one of these abilities."""
    for ability in abilities:
        there, reason = MACHINE[ability]
        if not there():
            pytest.skip(reason)


@pytest.hookimpl(tryfirst=True)  # before fixtures that need a missing ability
def pytest_runtest_setup(item: pytest.Item) -> None:
    skip_without(*(ability for mark in item.iter_markers("machine") for ability in mark.args))

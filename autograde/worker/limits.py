"""Limits what a submission's process may use, and makes it die with its parent.

Covered: processor time, wall time (by the grader), private memory, address space, file size, open files, core dumps, a
clean environment, no descriptor but its own, death with its parent. Not covered: files,
network and other processes (`confinement`); the size of all files together (the file tree, or the warden); memory on
CUDA, which the warden measures.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import tempfile

import msgspec

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
OPEN_FILES, OPEN_FILES_CUDA = 64, 512
"""a CUDA context keeps dozens of its devices' files open"""
RESERVED_BYTES = 1 << 30
"""address space that a few threads reserve for their heaps and stacks"""

_libc = ctypes.CDLL(None, use_errno=True)


class Bounds(msgspec.Struct, frozen=True):
    """The limits of one submission, as numbers the kernel understands."""

    check_cpu_s: int
    notebook_cpu_s: int
    cell_wall_s: float
    memory_bytes: int
    file_bytes: int
    scratch_bytes: int
    output_bytes: int


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl {option} failed")


def die_with_parent(parent: int) -> None:
    """Be killed when the parent dies; exit at once if it already has."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def hide_memory() -> None:
    """No other process of this user may trace this one or read its memory."""
    _prctl(PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none escapes."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def keep_only(fds: list[int]) -> None:
    """Make `fds` the descriptors 3, 4, 5, …; standard streams go to /dev/null; everything else is closed."""
    parked = [os.dup(fd) for fd in fds]
    while any(fd < 3 + len(fds) for fd in parked):
        parked = [os.dup(fd) if fd < 3 + len(fds) else fd for fd in parked]
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    for number, fd in enumerate(parked, start=3):
        os.dup2(fd, number)
    os.closerange(3 + len(fds), _most_open_files())


def _most_open_files() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


def apply(bounds: Bounds, scratch: str, pipes: int, device: str) -> None:
    """Set the limits, empty the environment, move into the scratch folder. `pipes` descriptors are the grader's."""
    cuda = device != "cpu"
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, bounds.notebook_cpu_s)
    _limit(resource.RLIMIT_NOFILE, (OPEN_FILES_CUDA if cuda else OPEN_FILES) + pipes)
    if not cuda:  # the driver reserves far more than it uses; there the warden measures what is used
        mapped, private = _memory()
        _limit(resource.RLIMIT_DATA, private + bounds.memory_bytes)
        # RLIMIT_DATA does not count stacks. Threads reserve more than they use, so this bound is a wide one.
        _limit(resource.RLIMIT_AS, mapped + 2 * bounds.memory_bytes + RESERVED_BYTES)
    os.environ.clear()
    os.environ.update(
        PATH="/usr/bin:/bin", HOME=scratch, TMPDIR=scratch, IPYTHONDIR=scratch, MPLCONFIGDIR=scratch, LANG="C.UTF-8",
        MPLBACKEND="module://matplotlib_inline.backend_inline", OMP_NUM_THREADS="1",
    )  # fmt: skip
    tempfile.tempdir = None  # cached when the zygote imported something
    os.umask(0o077)
    os.chdir(scratch)


def limit_files(bounds: Bounds) -> None:
    """Limit the size of a file, once the course's own data have been copied."""
    _limit(resource.RLIMIT_FSIZE, bounds.file_bytes)


def limit_check(bounds: Bounds) -> None:
    """Limit a check's processor time, which started at zero when it was forked."""
    _limit(resource.RLIMIT_CPU, bounds.check_cpu_s)


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    # Processor time has a soft and a hard limit: SIGXCPU comes one second before SIGKILL.
    grace = 1 if what == resource.RLIMIT_CPU and (hard == resource.RLIM_INFINITY or value + 1 <= hard) else 0
    resource.setrlimit(what, (value, value + grace))


def _memory() -> tuple[int, int]:
    """Bytes of address space and of private memory before the submission adds to them."""
    with open("/proc/self/statm") as statm:
        pages = list(map(int, statm.read().split()))
    return pages[0] * resource.getpagesize(), pages[5] * resource.getpagesize()

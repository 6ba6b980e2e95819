"""What keeps a submission in its place: which layers this machine has, and how a session puts them on.

The zygote tries the layers once and says what it found; a session puts on exactly those, in this order, or dies. What
level they make is decided in `autograde/isolation/confinement_probes.py`.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Collection
from glob import glob

import msgspec

from autograde.sockets import send_descriptors
from autograde.worker.confinement import landlock, seccomp, tree
from autograde.worker.confinement.landlock import DEVICE, IOCTL_DEV, LOAD, READ, READ_FILE, TRUNCATE, WRITE, WRITE_FILE
from autograde.worker.confinement.syscalls import AUDIT_ARCH, MACHINE

NEWUTS, NEWIPC, NEWUSER, NEWNET = 0x4000000, 0x8000000, 0x10000000, 0x40000000
CAPABILITIES_V3 = 0x20080522
PR_SET_DUMPABLE = 4
ROOT = os.path.join(tempfile.gettempdir(), "root")
"""where the warm process hangs what submissions may read: below its own home"""

MACHINES_OWN = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""what container runtimes keep read-only too"""

_libc = ctypes.CDLL(None, use_errno=True)


class Layers(msgspec.Struct, frozen=True):
    """What holds a submission here, beside limits and the process border."""

    landlock: int = 0
    """version of Landlock; 0: files are open to it"""
    seccomp: bool = False
    """system calls are filtered"""
    permits: bool = False
    """new processes need a permit"""
    namespaces: bool = False
    """it has a network of its own, without a cable, and no privilege of the account's"""
    tree: bool = False
    """it has a file tree of its own, in which nothing lies but what it may use"""


def found(left_out: Collection[str] = ()) -> Layers:
    """The layers that work here, each tried in a process of its own: version numbers promise too much.

    `left_out` names layers that are not to be used, so that tests and benchmarks can do without them.
    """
    if MACHINE not in AUDIT_ARCH:
        return Layers()
    namespaces = "namespaces" not in left_out and _works(enter_namespaces)
    return Layers(
        landlock=landlock.version() if "landlock" not in left_out and _works(_try_landlock) else 0,
        seccomp="seccomp" not in left_out and _works(_try_seccomp),
        permits="permits" not in left_out and _works(_try_permits),
        namespaces=namespaces,
        tree=namespaces and "tree" not in left_out and _works(_try_tree),
    )


def put_on(layers: Layers, scratch: str, scratch_bytes: int, device: str, warden: socket.socket) -> None:
    """Confine this session. The warden gets the listener for new processes. OSError if a layer cannot be had."""
    cuda = device != "cpu"
    if cuda and not layers.tree and os.geteuid() == 0:
        raise PermissionError(
            "on CUDA the driver needs /proc writable, which is the whole machine for root: grade "
            "under another account, or where user namespaces are allowed"
        )
    drivers = _cuda_files() if cuda else []
    if layers.tree:
        tree.enter(ROOT, scratch, scratch_bytes, drivers)
    if layers.landlock:
        landlock.restrict([*_readable(), *drivers, (scratch, WRITE)])
    if layers.permits:
        listener = seccomp.install_with_listener(seccomp.new_processes())
        send_descriptors(warden, b"permits", [listener])
        os.close(listener)
    else:
        warden.send(b"none needed")
    warden.close()
    _drop_capabilities()
    if layers.seccomp:
        seccomp.install(seccomp.refusals(os.getpid(), cuda=cuda))


def leave_the_machine(layers: Layers) -> None:
    """What the warm process does once for all sessions, as far as the layers go. For a process with one thread."""
    if layers.namespaces:
        enter_namespaces(tree.NEWNS if layers.tree else 0)
    if layers.tree:
        os.makedirs(ROOT, exist_ok=True)
        tree.prepare(ROOT, _readable())


def enter_namespaces(more: int = 0) -> bool:
    """Leave the machine's network, shared memory and privileges behind; `more` names further namespaces."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(ctypes.c_int(NEWUSER | NEWNET | NEWIPC | NEWUTS | more)):
        raise OSError(ctypes.get_errno(), "the kernel refused a namespace")
    # New credentials close /proc/self to its owner, who has the maps still to write.
    if _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused access to /proc/self")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def _readable() -> list[tuple[str, int]]:
    """The Python runtime and what torch asks of the machine; nothing of /home, /proc/<pid>, /tmp or the course."""
    libraries = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", sysconfig.get_path("stdlib")}
    libraries |= {os.path.join(sys.base_prefix, "lib"), *(path for path in sys.path if os.path.isdir(path))}
    # An environment behind a link: some libraries (matplotlib's fonts) remember where their files really lie.
    libraries |= {os.path.realpath(path) for path in libraries}
    files = ("/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/sys/fs/cgroup/cpu.max")
    return [
        *((path, LOAD) for path in sorted(libraries)),
        *((path, READ_FILE) for path in (*files, "/dev/urandom", "/dev/random")),
        *((path, READ) for path in ("/usr/share/zoneinfo", "/usr/share/fonts", "/sys/devices/system/cpu")),
        ("/dev/null", DEVICE),
    ]


def _cuda_files() -> list[tuple[str, int]]:
    """What the driver opens, by its users' reports.

    It writes its threads' names to /proc/<pid>/task, and each check is a process of its own, whose number nobody knows
    before. So /proc is writable as far as its owner may write there; what belongs to the machine is hung read-only over
    it. Other processes' memory and environment stay closed: Landlock lets nobody look out of it.
    """
    devices = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"]
    places = [*glob("/dev/nvidia[0-9]*"), *(f"/dev/{name}" for name in devices)]
    told = ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/class/drm")
    return [
        *((path, DEVICE | IOCTL_DEV) for path in places),
        ("/dev/nvidia-caps", READ | DEVICE | IOCTL_DEV),
        ("/proc", READ | WRITE_FILE | TRUNCATE),
        *((path, READ) for path in MACHINES_OWN),
        *((path, READ) for path in told),
    ]


def _drop_capabilities() -> None:
    header, none = struct.pack("Ii", CAPABILITIES_V3, 0), bytes(24)
    if _libc.capset(ctypes.c_char_p(header), ctypes.c_char_p(none)):
        raise OSError(ctypes.get_errno(), "the kernel kept this process's capabilities")


def _works(attempt: Callable[[], object]) -> bool:
    """Does the attempt, in a child, return something true?"""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if attempt() else 1)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


def _try_landlock() -> bool:
    landlock.restrict([("/usr", LOAD)])
    return not _can(lambda: os.listdir("/"))


def _try_seccomp() -> bool:
    seccomp.install(seccomp.refusals(os.getpid()))
    return not _can(lambda: socket.socket().close())


def _try_permits() -> bool:
    return seccomp.install_with_listener(seccomp.new_processes()) >= 0


def _try_tree() -> bool:
    leave_the_machine(Layers(namespaces=True, tree=True))
    scratch = tempfile.mkdtemp()
    tree.enter(ROOT, scratch, 1 << 20)
    return not os.path.exists("/proc/self") and os.access(scratch, os.W_OK)


def _can(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return False
    return True

"""Confines a submission: detects which layers this machine offers, and applies them to a session.

The zygote tries the layers once and reports those that work; a session applies exactly those, in this order, or exits.
`autograde/isolation/confinement_probes.py` decides which confinement level they make.
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
"""where the zygote mounts what submissions may read: below its own home"""

MACHINES_OWN = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""what container runtimes keep read-only too"""

_libc = ctypes.CDLL(None, use_errno=True)


class Layers(msgspec.Struct, frozen=True):
    """The layers that confine a submission here, besides limits and the process boundary."""

    landlock: int = 0
    """version of Landlock; 0: all files are open to the submission"""
    seccomp: bool = False
    """system calls are filtered"""
    permits: bool = False
    """new processes need a permit"""
    namespaces: bool = False
    """an isolated network namespace, and none of the account's privileges"""
    tree: bool = False
    """a file tree that contains only what the submission may use"""


def detect_layers(left_out: Collection[str] = ()) -> Layers:
    """Try each layer in a child process, because version numbers alone are not reliable.

    `left_out` names layers that tests and benchmarks do without.
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


def apply_layers(layers: Layers, scratch: str, scratch_bytes: int, device: str, warden: socket.socket) -> None:
    """Confine this session. The warden gets the listener for new processes. OSError if a layer cannot be applied."""
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


def isolate_zygote(layers: Layers) -> None:
    """Enter the namespaces and prepare the file tree that all sessions share. For a process with one thread."""
    if layers.namespaces:
        enter_namespaces(tree.NEWNS if layers.tree else 0)
    if layers.tree:
        os.makedirs(ROOT, exist_ok=True)
        tree.prepare(ROOT, _readable())


def enter_namespaces(more: int = 0) -> bool:
    """Enter new user, network, IPC and UTS namespaces; `more` are flags of further ones."""
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(ctypes.c_int(NEWUSER | NEWNET | NEWIPC | NEWUTS | more)):
        raise OSError(ctypes.get_errno(), "the kernel refused a namespace")
    # New credentials close /proc/self to this process, which must still write its maps.
    if _libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused access to /proc/self")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    return True


def _readable() -> list[tuple[str, int]]:
    """The Python runtime and what torch reads of the machine; nothing of /home, /proc/<pid>, /tmp or the course."""
    libraries = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", sysconfig.get_path("stdlib")}
    libraries |= {os.path.join(sys.base_prefix, "lib"), *(path for path in sys.path if os.path.isdir(path))}
    # An environment behind a link: some libraries (matplotlib's fonts) remember the real paths of their files.
    libraries |= {os.path.realpath(path) for path in libraries}
    files = ("/etc/ld.so.cache", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/sys/fs/cgroup/cpu.max")
    return [
        *((path, LOAD) for path in sorted(libraries)),
        *((path, READ_FILE) for path in (*files, "/dev/urandom", "/dev/random")),
        *((path, READ) for path in ("/usr/share/zoneinfo", "/usr/share/fonts", "/sys/devices/system/cpu")),
        ("/dev/null", DEVICE),
    ]


def _cuda_files() -> list[tuple[str, int]]:
    """What the driver opens, as its users report.

    It writes its threads' names to /proc/<pid>/task, and the process id of a check is not known in advance. So /proc is
    writable as far as its owner may write there, and the machine's own files in it are mounted read-only. The memory
    and environment of other processes stay closed: Landlock denies them.
    """
    devices = ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"]
    devices_found = [*glob("/dev/nvidia[0-9]*"), *(f"/dev/{name}" for name in devices)]
    readable = ("/sys/devices", "/sys/bus/pci", "/sys/module/nvidia", "/sys/class/drm")
    return [
        *((path, DEVICE | IOCTL_DEV) for path in devices_found),
        ("/dev/nvidia-caps", READ | DEVICE | IOCTL_DEV),
        ("/proc", READ | WRITE_FILE | TRUNCATE),
        *((path, READ) for path in MACHINES_OWN),
        *((path, READ) for path in readable),
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
    isolate_zygote(Layers(namespaces=True, tree=True))
    scratch = tempfile.mkdtemp()
    tree.enter(ROOT, scratch, 1 << 20)
    return not os.path.exists("/proc/self") and os.access(scratch, os.W_OK)


def _can(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:
        return False
    return True

"""What a submission may ask of the kernel: filters in classic BPF, assembled here and installed without privileges.

Allowed by default, because what Python and torch call differs by library and driver; refused is what reaches beyond the
process: other processes, the network, new programs, owners and times of files, memory that no limit counts.
Linux documentation: userspace-api/seccomp_filter; offsets are those of `struct seccomp_data`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Iterable

from autograde.worker.confinement.syscalls import AUDIT_ARCH, MACHINE, NEWEST, number

# socketpair is allowed: an event loop wakes itself with one, and without sendmsg it transfers no descriptor.
NETWORK = "socket connect bind listen accept accept4 sendmsg sendmmsg"
PROGRAMS = "execve execveat setsid setpgid"
SIGNALS = "kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal pidfd_open pidfd_getfd process_mrelease"
PEEKING = "ptrace process_vm_readv process_vm_writev kcmp process_madvise"
KERNEL = (
    "io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd unshare setns mount umount2 "
    "pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr keyctl add_key "
    "request_key personality name_to_handle_at open_by_handle_at init_module finit_module delete_module kexec_load "
    "kexec_file_load reboot swapon swapoff syslog acct quotactl quotactl_fd settimeofday clock_settime adjtimex "
    "clock_adjtime iopl ioperm modify_ldt vhangup fanotify_init inotify_init inotify_init1 lsm_set_self_attr seccomp "
    "io_setup"
)
SHARED_MEMORY = "memfd_create memfd_secret shmget shmat shmctl msgget semget mq_open"
SHARES = (
    "setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set mbind set_mempolicy "
    "set_mempolicy_home_node migrate_pages move_pages mlock mlock2 mlockall vmsplice"
)
METADATA = (
    "truncate chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat setxattr lsetxattr fsetxattr setxattrat "
    "removexattr lremovexattr fremovexattr removexattrat file_setattr utime utimes futimesat utimensat mknod mknodat "
    "link linkat symlink symlinkat setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid "
    "capset"
)
REFUSED = (NETWORK, PROGRAMS, SIGNALS, PEEKING, KERNEL, SHARED_MEMORY, SHARES, METADATA)
CUDA_NEEDS = frozenset({"memfd_create", "mlock", "mbind", "set_mempolicy", "sched_setaffinity"})
"""from drivers' issue threads; see docs/threat-model.md"""

CLONE_THREAD = 0x10000
CLONE_NAMESPACES = 0x7E020000
MAP_SHARED, MAP_ANONYMOUS = 0x1, 0x20
O_ACCMODE, O_TMPFILE = 0x3, 0x400000
TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: type into the terminal that the grader was started from
SIGNAL_OWNER = (8, 10, 15)  # fcntl F_SETOWN, F_SETSIG, F_SETOWN_EX: have the kernel signal another process
# F_SETLEASE, F_NOTIFY: make other processes wait 45 seconds when they open a library's file, or watch them.
ON_OTHERS = (1024, 1026)
FIOSETOWN, SIOCSPGRP = 0x8901, 0x8902
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36

ALLOW, ERRNO, NOTIFY, KILL = 0x7FFF0000, 0x00050000, 0x7FC00000, 0x80000000
NR, ARCH = 0, 4
_LOAD, _AND, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE, SET_MODE_FILTER, NEW_LISTENER = 38, 22, 2, 1, 8
Code = list[tuple[int, int, int, int]]
"""BPF instructions: operation, jump if true, jump if false, operand"""

_libc = ctypes.CDLL(None, use_errno=True)


def refusals(own_pid: int, *, cuda: bool = False) -> Code:
    """Refuse all that a submission may not do, except new processes. abort() needs signals to `own_pid`."""
    eperm = _answer(ERRNO | errno.EPERM)
    rules = [
        _call("clone3", _answer(ERRNO | errno.ENOSYS)),  # its flags are in memory, where no filter sees them
        _call("openat2", _answer(ERRNO | errno.ENOSYS)),
        _call("clone", _if_any(_argument(0), CLONE_NAMESPACES, ERRNO | errno.EPERM)),
        _call("tgkill", _if_equal(_argument(0), [own_pid], ALLOW, otherwise=ERRNO | errno.EPERM)),
        _call("prlimit64", _if_equal(_argument(0), [0], ALLOW, otherwise=ERRNO | errno.EPERM)),
        _call("prctl", _prctl_rule()),
        _call("ioctl", _if_equal(_argument(1), [*TERMINAL_INPUT, FIOSETOWN, SIOCSPGRP], ERRNO | errno.EPERM)),
        _call("fcntl", _if_equal(_argument(1), [*SIGNAL_OWNER, *ON_OTHERS], ERRNO | errno.EPERM)),
        _call("open", _open_rule(_argument(1))),
        _call("openat", _open_rule(_argument(2))),
    ]
    if not cuda:
        rules.append(_call("mmap", _shared_memory_rule()))
    allowed = CUDA_NEEDS if cuda else frozenset()
    names = [name for group in REFUSED for name in group.split() if name not in allowed]
    code = _prologue()
    for rule in rules:
        code += rule
    for name in names:
        code += _call(name, eperm)
    return code + _answer(ALLOW)


def new_processes() -> Code:
    """Notify the listener of every new process; threads are allowed."""
    code = _prologue()
    for name in ("fork", "vfork"):
        code += _call(name, _answer(NOTIFY))
    code += _call("clone", _if_any(_argument(0), CLONE_THREAD, ALLOW, otherwise=NOTIFY))
    return code + _answer(ALLOW)


def install(code: Code) -> None:
    """Filter the calls of this process and its descendants, irrevocably. OSError if the kernel refuses."""
    no_new_privileges()
    if _libc.prctl(PR_SET_SECCOMP, FILTER_MODE, ctypes.byref(_program(code)), 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused a seccomp filter")


def install_with_listener(code: Code) -> int:
    """`install`, returning the listener's descriptor, on which each NOTIFY arrives."""
    no_new_privileges()
    call = ctypes.c_long(number("seccomp") or 0)
    listener = _libc.syscall(call, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(_program(code)))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "the kernel refused a seccomp listener")
    return int(listener)


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def _program(code: Code) -> _Program:
    return _Program(len(code), b"".join(struct.pack("HBBI", *instruction) for instruction in code))


def no_new_privileges() -> None:
    """Set no_new_privs, which the kernel requires before any filter or Landlock ruleset."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refused no_new_privs")


# The pieces of a program. Every path through a rule's body ends in an answer, so the next rule finds the call's number.


def _prologue() -> Code:
    code = [(_LOAD, 0, 0, ARCH), (_EQUAL, 1, 0, AUDIT_ARCH[MACHINE]), *_answer(KILL), (_LOAD, 0, 0, NR)]
    # On x86-64 this also refuses the x32 calls, whose numbers have bit 30 set.
    return [*code, (_AT_LEAST, 0, 1, NEWEST), *_answer(ERRNO | errno.ENOSYS)]


def _answer(action: int) -> Code:
    return [(_RETURN, 0, 0, action)]


def _argument(position: int) -> int:
    """Offset of the low half of an argument; all that is compared here fits in it."""
    return 16 + 8 * position


def _call(name: str, body: Code) -> Code:
    nr = number(name)
    return [] if nr is None else [(_EQUAL, 0, len(body), nr), *body]


def _if_equal(offset: int, values: Iterable[int], action: int, otherwise: int = ALLOW) -> Code:
    code: Code = [(_LOAD, 0, 0, offset)]
    for value in values:
        code += [(_EQUAL, 0, 1, value), *_answer(action)]
    return code + _answer(otherwise)


def _if_any(offset: int, bits: int, action: int, otherwise: int = ALLOW) -> Code:
    return [(_LOAD, 0, 0, offset), (_ANY_BIT, 0, 1, bits), *_answer(action), *_answer(otherwise)]


def _prctl_rule() -> Code:
    """A process may neither cancel its death with its parent nor adopt orphans."""
    only_kill = _if_equal(_argument(1), [signal.SIGKILL], ALLOW, otherwise=ERRNO | errno.EPERM)
    code: Code = [(_LOAD, 0, 0, _argument(0)), (_EQUAL, 0, 1, PR_SET_CHILD_SUBREAPER), *_answer(ERRNO | errno.EPERM)]
    return [*code, (_EQUAL, 0, len(only_kill), PR_SET_PDEATHSIG), *only_kill, *_answer(ALLOW)]


def _open_rule(offset: int) -> Code:
    """No file without a name, which no quota sees; no truncation by a read-only open, which old Landlocks allow."""
    nameless: Code = [(_LOAD, 0, 0, offset), (_ANY_BIT, 0, 1, O_TMPFILE), *_answer(ERRNO | errno.EOPNOTSUPP)]
    truncating: Code = [(_ANY_BIT, 1, 0, os.O_TRUNC), *_answer(ALLOW), (_AND, 0, 0, O_ACCMODE)]
    return [*nameless, *truncating, (_EQUAL, 0, 1, os.O_RDONLY), *_answer(ERRNO | errno.EPERM), *_answer(ALLOW)]


def _shared_memory_rule() -> Code:
    """Shared anonymous memory is counted by no limit."""
    code: Code = [(_LOAD, 0, 0, _argument(3)), (_ANY_BIT, 1, 0, MAP_ANONYMOUS), *_answer(ALLOW)]
    return [*code, (_ANY_BIT, 0, 1, MAP_SHARED), *_answer(ERRNO | errno.ENOMEM), *_answer(ALLOW)]

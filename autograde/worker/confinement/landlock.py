"""Restricts a submission to an allow-list of files, which the kernel enforces and no process can revoke.

Linux documentation: userspace-api/landlock. Version 1 covers files, 4 adds TCP, 6 signals and abstract sockets; what a
version lacks, the seccomp filters refuse.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable

from autograde.worker.confinement.seccomp import no_new_privileges

CREATE, ADD_RULE, RESTRICT = 444, 445, 446
(
    EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK,
    MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV,
) = (1 << bit for bit in range(16))  # fmt: skip
READ = READ_FILE | READ_DIR
LOAD = READ | EXECUTE
DEVICE = READ_FILE | WRITE_FILE
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER
FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""what can be denied, by version; later versions know IOCTL_DEV too"""
TCP, SCOPES = 3, 3

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def version() -> int:
    """The version of the kernel's Landlock; 0 where it has none or it is switched off."""
    try:
        return _call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict(rules: Iterable[tuple[str, int]]) -> None:
    """Deny this process and its descendants all files but those of `rules`: (path, rights); absent ones are skipped."""
    known = version()
    if not known:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock")
    handled = HANDLED.get(known, (1 << 16) - 1)
    size = 8 if known < 4 else 16 if known < 6 else 24
    attributes = struct.pack("QQQ", handled, TCP, SCOPES)[:size]
    ruleset = _call(CREATE, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & handled)
        no_new_privileges()
        _call(RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            rights &= FOR_FILES
        rule = struct.pack("=Qi", rights, target)
        _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), ctypes.c_char_p(rule), ctypes.c_uint32(0))
    finally:
        os.close(target)


def _call(nr: int, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(nr), *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result

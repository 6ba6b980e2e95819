"""A file tree for each submission that contains only what it may read and its scratch folder.

The zygote, in a mount namespace, binds what all submissions may read into a small memory file system. Each session
enters a copy of that namespace, adds its scratch folder and makes the tree its root. Without Landlock this protects all
other files; with Landlock it also hides what `stat()` would show. See mount_namespaces(7) and
pivot_root(2); old kernels first, because those are the ones without Landlock.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from collections.abc import Iterable

from autograde.worker.confinement.landlock import WRITE_FILE
from autograde.worker.confinement.syscalls import number
from autograde.worker.quota import MAX_ENTRIES

NEWNS = 0x20000
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 0x1, 0x2, 0x4, 0x20, 0x1000, 0x4000, 0x40000
KEPT = {0x2: 0x2, 0x4: 0x4, 0x8: 0x8, 0x400: 0x400, 0x800: 0x800, 0x1000: 0x200000}
"""flags of statvfs(3) -> of mount(2): those that a mount from outside may not lose"""
DETACH = 2
ESCAPED = re.compile(rb"\\([0-7]{3})")
"""how mountinfo escapes a space, a tab, a line's end and a backslash"""

_libc = ctypes.CDLL(None, use_errno=True)


def mount_empty(folder: str) -> None:
    """Mount an empty file system over a folder. Needs a mount namespace."""
    _mount(None, "/", REC | PRIVATE)
    _mount("tmpfs", folder, NOSUID | NODEV, kind="tmpfs", options="size=4m,mode=755")


def prepare(root: str, rules: Iterable[tuple[str, int]]) -> None:
    """Bind `rules`, (path, rights) as for Landlock, below the empty folder `root`. Needs a mount namespace."""
    mount_empty(root)
    bind_paths(root, rules)


def bind_paths(root: str, rules: Iterable[tuple[str, int]]) -> None:
    """Bind each path below `root` at its own name, read-only unless its rights say more. Absent ones are skipped."""
    done: list[str] = []
    for path, rights in sorted(rules):
        if not os.path.exists(path) or any(path.startswith(above + "/") for above in done):
            continue
        target = root + path
        _make_mount_point(target, folder=os.path.isdir(path))
        before = _mounts()
        _mount(path, target, BIND | REC)
        if not rights & WRITE_FILE:
            done.append(path)
            # What was mounted below it elsewhere came along, and does not become read-only with the one above.
            for below in _mounts().items() - before.items():
                _make_readonly(below[1])


def enter(root: str, scratch: str, scratch_bytes: int, rules: Iterable[tuple[str, int]] = ()) -> None:
    """Add `rules` and the folder `scratch` to `root`, and make it the root of this process and its descendants.

    Their files are in memory, so `scratch_bytes` bounds them exactly, including deleted files that are still mapped.
    Nothing is left once the last of these processes has ended.
    """
    if _libc.unshare(ctypes.c_int(NEWNS)):
        raise OSError(ctypes.get_errno(), "the kernel refused a mount namespace")
    bind_paths(root, rules)
    parent = root + os.path.dirname(scratch)
    os.makedirs(parent, exist_ok=True)
    if not os.listdir(parent):  # nothing to hide: a file system of this session's own, so that none sees another's name
        _mount("tmpfs", parent, NOSUID | NODEV, kind="tmpfs", options="size=64k,mode=755")
    os.mkdir(root + scratch)
    bounds = f"size={scratch_bytes},nr_inodes={MAX_ENTRIES},mode=700"
    _mount("tmpfs", root + scratch, NOSUID | NODEV, kind="tmpfs", options=bounds)
    shutil.copytree(scratch, root + scratch, dirs_exist_ok=True, copy_function=shutil.copyfile)
    if os.path.ismount(parent):
        _make_readonly(parent)
    _make_readonly(root)
    os.chdir(root)
    if _libc.syscall(ctypes.c_long(number("pivot_root") or 0), b".", b"."):
        raise OSError(ctypes.get_errno(), "the kernel refused a file tree of its own")
    if _libc.umount2(b".", DETACH):
        raise OSError(ctypes.get_errno(), "the kernel kept the machine's file tree in sight")
    os.chdir(scratch)


def _make_mount_point(target: str, folder: bool) -> None:
    """Make a mount point: an empty folder or file."""
    if os.path.exists(target):
        return
    os.makedirs(target if folder else os.path.dirname(target), exist_ok=True)
    if not folder:
        open(target, "x").close()


def _make_readonly(target: str) -> None:
    held = os.statvfs(target).f_flag
    kept = sum(flag for known, flag in KEPT.items() if held & known)
    _mount(None, target, REMOUNT | BIND | RDONLY | kept)


def _mounts() -> dict[str, str]:
    """Mount id -> mount point."""
    with open("/proc/self/mountinfo", "rb") as table:
        rows = [line.split(b" ", 5) for line in table]
    return {os.fsdecode(row[0]): os.fsdecode(ESCAPED.sub(_character, row[4])) for row in rows}


def _character(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 8)])


def _mount(source: str | None, target: str, flags: int, kind: str | None = None, options: str | None = None) -> None:
    words = [ctypes.c_char_p(None if word is None else os.fsencode(word)) for word in (source, target, kind, options)]
    if _libc.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]):
        error = ctypes.get_errno()
        raise OSError(error, f"mounting {target}: {os.strerror(error)}")

"""Writes files and folders atomically, and explains in one sentence why something cannot be written."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ADVICE = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "free some space there, or ask for a larger quota",
    errno.EFBIG: "allow larger files (`ulimit -f`)",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable and readable for this account",
    errno.EPERM: "make it writable and readable for this account",
    errno.EIO: "check the disk",
    errno.EMFILE: "allow more open files (`ulimit -n`)",
    errno.ENOMEM: "free some memory",
}
AGAIN = "then run the command again: no file is incomplete, and it continues where it stopped"
DATABASE_ADVICE = {
    sqlite3.SQLITE_BUSY: "locked by another program; let it finish or close it",
    sqlite3.SQLITE_LOCKED: "locked by another program; let it finish or close it",
    sqlite3.SQLITE_FULL: "no space left on its disk; free some space there",
    sqlite3.SQLITE_READONLY: "cannot be written; make it and its folder writable for this account",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; make it and its folder writable for this account",
    sqlite3.SQLITE_IOERR: "its disk fails or is full; check it",
}
PRIMARY_CODE = 0xFF
"""the bits of SQLite's error codes that are the same for all variants of an error"""


class NotWritableError(Exception):
    """A folder is not writable or has too little free space; the message says which, and what to do."""


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write atomically: a reader sees the old file or the new one. On failure no temporary file remains."""
    with replace_on_success(path, data):
        pass


@contextmanager
def replace_on_success(
    path: Path, data: bytes | str, mode: int | None = None, unfinished: Path | None = None
) -> Iterator[None]:
    """Write a file that replaces `path` once the body of the `with` statement has succeeded.

    Until then it is at `unfinished`, on the same disk: by default `path` with `.tmp` appended, which must be unused.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished or path.with_name(f"{path.name}.tmp")
    try:
        unfinished.write_bytes(data.encode() if isinstance(data, str) else data)
        if mode is not None:
            unfinished.chmod(mode)
        yield
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def replace_folder(target: Path, made: Path) -> None:
    """Replace the folder `target` with `made`, on the same disk. A killed process leaves no partial folder."""
    before = made.with_name(f"{made.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, before)
    os.replace(made, target)
    shutil.rmtree(before, ignore_errors=True)


@contextmanager
def hold_lock(lock: Path) -> Iterator[None]:
    """Wait for an exclusive lock on the file `lock`, and hold it during the body of the `with` statement."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def check_free_space(folders: Iterable[Path], needed_bytes: int) -> None:
    """Raise NotWritableError unless each folder, or its nearest existing parent, is writable and has enough space."""
    for folder in folders:
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                free = shutil.disk_usage(existing).free
        except OSError as error:
            raise NotWritableError(f"{existing}: {error.strerror}; {_advise(error)}, {AGAIN}") from error
        if free < needed_bytes:
            raise NotWritableError(
                f"{existing}: {free >> 20} MB are free and about {(needed_bytes >> 20) + 1} MB are needed; "
                "free some space there, then run the command again: nothing was changed"
            )


def explain_os_error(error: OSError) -> str | None:
    """Explain an error of the disk or machine in a sentence; None if the engine may be at fault."""
    if error.errno == errno.ENOENT and "temporary directory" in str(error.strerror):
        return f"{error.strerror}: none of them is writable; free some space in one, {AGAIN}"
    if error.errno not in ADVICE:
        return None
    return f"{error.filename or 'a file of the course'}: {error.strerror}; {_advise(error)}, {AGAIN}"


def explain_database_error(name: str, error: BaseException) -> str | None:
    """Explain an error of SQLite in a sentence; None if it is not about locks, space or permissions."""
    cause = getattr(error, "orig", error)  # SQLAlchemy's exceptions contain the original one
    code = getattr(cause, "sqlite_errorcode", 0) if isinstance(cause, sqlite3.Error) else 0
    advice = DATABASE_ADVICE.get(code & PRIMARY_CODE)
    return f"{name}: {advice}, {AGAIN}" if advice else None


def _advise(error: OSError) -> str:
    return ADVICE.get(error.errno or 0, "remove the cause")

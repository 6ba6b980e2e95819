"""Writes files and folders whole or not at all, and says in a sentence what stands in the way of writing."""

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
    errno.EIO: "look after the disk",
    errno.EMFILE: "allow more open files (`ulimit -n`)",
    errno.ENOMEM: "free some memory",
}
AGAIN = "then run the command again: nothing is half-written, and it takes up where it was"
DATABASE_ADVICE = {
    "locked": "locked by another program; let it finish or close it",
    "full": "no space left on its disk; free some space there",
    "readonly": "may not be written; make it and its folder writable for this account",
    "unable to open": "may not be written; make it and its folder writable for this account",
    "disk I/O": "its disk fails or is full; look after it",
}


class NoRoomError(Exception):
    """A place cannot be written to; the text says which, why, and what to do."""


def write_whole(path: Path, data: bytes | str) -> None:
    """Write so that whoever reads sees the old file or the new one, never half of one; nothing is left on failure."""
    with replacing(path, data):
        pass


@contextmanager
def replacing(path: Path, data: bytes | str, mode: int | None = None, unfinished: Path | None = None) -> Iterator[None]:
    """`write_whole` around something that must succeed first: what is written takes its place after that.

    `unfinished`, on the same disk, is where it waits, if a name beside `path` could be somebody else's.
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
    """Put the folder `made`, on the same disk, in the place of `target`. A kill leaves no half of either."""
    before = made.with_name(f"{made.name}.before")
    shutil.rmtree(before, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, before)
    os.replace(made, target)
    shutil.rmtree(before, ignore_errors=True)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is inside with the same lock file."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def check_room(folders: Iterable[Path], needed_bytes: int) -> None:
    """NoRoomError unless a file can be made in each folder (the nearest that exists) and so much space is free."""
    for folder in folders:
        there = next(place for place in (folder, *folder.parents) if place.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free
        except OSError as error:
            raise NoRoomError(f"{there}: {error.strerror}; {_advice(error)}, {AGAIN}") from error
        if free < needed_bytes:
            raise NoRoomError(
                f"{there}: {free >> 20} MB are free and about {(needed_bytes >> 20) + 1} MB are needed; "
                "free some space there, then run the command again: nothing was changed"
            )


def obstacle(error: OSError) -> str | None:
    """What to tell a person whose disk or machine refused something; None if the error looks like our own mistake."""
    if error.errno == errno.ENOENT and "temporary directory" in str(error.strerror):
        return f"{error.strerror}: none can be written; free some space in one, {AGAIN}"
    if error.errno not in ADVICE:
        return None
    return f"{error.filename or 'a file of the course'}: {error.strerror}; {_advice(error)}, {AGAIN}"


def database_obstacle(name: str, error: BaseException) -> str | None:
    """The same for a database, whose errors are texts; None if its words say nothing of locks, space or rights."""
    said = str(error)
    for word, advice in DATABASE_ADVICE.items():
        if word in said and isinstance(getattr(error, "orig", error), sqlite3.Error):
            return f"{name}: {advice}, {AGAIN}"
    return None


def _advice(error: OSError) -> str:
    return ADVICE.get(error.errno or 0, "see to it")

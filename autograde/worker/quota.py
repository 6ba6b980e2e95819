"""Measures what the kernel does not limit: the size of all of a submission's files, and its memory on CUDA."""

from __future__ import annotations

import os
from collections.abc import Iterable

MAX_ENTRIES = 4000


class Quota:
    """The most bytes that all files in a folder may hold together."""

    def __init__(self, folder: str, most_bytes: int) -> None:
        self.folder = folder
        self.most_bytes = most_bytes

    def exceeded(self) -> bool:
        """More bytes on disk, or more files and folders, than allowed. Looks at no more than it allows."""
        held, entries, waiting = 0, 0, [self.folder]
        while waiting:
            try:
                with os.scandir(waiting.pop()) as found:
                    for entry in found:
                        entries += 1
                        held += entry.stat(follow_symlinks=False).st_blocks * 512
                        if entries > MAX_ENTRIES or held > self.most_bytes:
                            return True
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
            except (FileNotFoundError, NotADirectoryError):  # removed while we looked
                continue
            except OSError:  # unreadable, or nested deeper than the longest path: honest work has neither
                return True
        return False


class Memory:
    """The most private memory that each process of a submission may use above what it was forked with.

    On CUDA the address space is no measure, because the driver reserves twice the card's memory; pages in use are.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.at_birth = private_bytes("self")

    def exceeded(self, pids: Iterable[int]) -> bool:
        return any(private_bytes(pid) > self.at_birth + self.most_bytes for pid in pids)


def private_bytes(pid: int | str) -> int:
    """Bytes of a process's memory that are not backed by a file; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:  # bytes: a process names itself as it likes
            lines = [line.split() for line in status if line.startswith((b"RssAnon:", b"RssShmem:"))]
    except OSError:
        return 0
    return sum(int(line[1]) * 1024 for line in lines)

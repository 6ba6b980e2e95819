"""How much a submission may keep in its scratch folder: measured, because the kernel limits single files only."""

from __future__ import annotations

import os

MAX_ENTRIES = 4000


class Quota:
    """A folder and what all files in it may hold together."""

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
            except OSError:  # removed while we looked
                continue
        return False

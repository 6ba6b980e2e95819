"""The folder that a submission may write to: made with the course's data in it, removed whatever it contains."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from autograde.text import SCRATCH_PREFIX


def make(data: Iterable[Path]) -> str:
    """A new folder, with copies of `data` in `data/`."""
    folder = tempfile.mkdtemp(prefix=SCRATCH_PREFIX)
    for path in data:
        (Path(folder) / "data").mkdir(exist_ok=True)
        shutil.copy(path, Path(folder) / "data")
    return folder


def remove(folder: str) -> None:
    """Remove a folder of any depth, whatever its modes. The submission's processes must have ended.

    `shutil.rmtree` recurses and so fails at a thousand levels; here each pass moves every level up by one.
    """
    ours = secrets.token_hex(8)
    count = 0
    with contextlib.suppress(OSError):
        while inside := _open_entries(folder):
            for entry in inside:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                for deeper in _open_entries(entry.path):
                    count += 1
                    os.rename(deeper.path, os.path.join(folder, f"{ours}-{count}"))
                os.rmdir(entry.path)
        os.rmdir(folder)


def _open_entries(folder: str) -> list[os.DirEntry[str]]:
    """List a folder, after making the folders in it readable and writable."""
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)
    return entries

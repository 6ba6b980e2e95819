"""The folder that a submission may write to: made with the course's data in it, removed whatever it holds by then."""

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
    """Remove it, however deep its folders are nested and whatever they forbid. Nobody may be writing there any more.

    `shutil.rmtree` calls itself for each level and so fails at a thousand; here each pass lifts every level by one.
    """
    ours = secrets.token_hex(8)
    count = 0
    with contextlib.suppress(OSError):
        while inside := _opened(folder):
            for entry in inside:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                for deeper in _opened(entry.path):
                    count += 1
                    os.rename(deeper.path, os.path.join(folder, f"{ours}-{count}"))
                os.rmdir(entry.path)
        os.rmdir(folder)


def _opened(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds; its folders can be moved and listed then, whatever their modes said."""
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)
    return entries

"""Reads untrusted zip archives: nothing is unpacked to disk, every name is checked, every size is bounded.

The learning platform makes the archive, but students choose the names and contents of the files in it. A bad entry is
refused with a sentence that names it; the other entries are still read. Opening takes memory in proportion to the size
of the archive.
"""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from autograde.course import CourseError
from autograde.exception_names import public_name

MAX_ENTRIES = 50_000
MAX_TOTAL = 8 << 30
MAX_DEPTH = 20
UTF8_NAME = 0x800
ENCRYPTED = 0x1
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError)


class ArchiveError(CourseError):
    """The archive cannot be read."""


class EntryError(Exception):
    """One entry is refused; the message is a sentence that names it."""


@dataclass(frozen=True)
class Entry:
    """A file in the archive."""

    name: str
    """relative, with forward slashes, normalised (NFC), printable"""
    info: zipfile.ZipInfo


class Archive:
    """An open zip file; use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        """Open the zip file at `path`. ArchiveError if it cannot be read."""
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise ArchiveError(f"{path}: no such file") from None
        except UnicodeDecodeError:
            raise ArchiveError(f"{path}: a name in it is said to be UTF-8 and is not; pack it again") from None
        except (*DAMAGE, OSError) as error:
            raise ArchiveError(f"{path}: not a zip archive ({str(error)[:100]})") from None
        self._left = MAX_TOTAL
        self.entries: list[Entry] = []
        self.refused: list[str] = []
        if len(self._zip.infolist()) > MAX_ENTRIES:
            self._zip.close()
            raise ArchiveError(f"{path}: holds more than {MAX_ENTRIES} files; split it")
        for info in self._zip.infolist():
            try:
                name = _checked_name(info)
            except EntryError as error:
                self.refused.append(str(error))
                continue
            if name:
                self.entries.append(Entry(name, info))
        self._refuse_duplicates()

    def read(self, entry: Entry, max_bytes: int) -> bytes:
        """Return the entry's bytes. EntryError if they are damaged, encrypted or more than `max_bytes`."""
        info, said = entry.info, _quoted(entry.name)
        if info.flag_bits & ENCRYPTED:
            raise EntryError(f"{said} is encrypted; ask for it without a password.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise EntryError(f"{said} is packed in a way that no learning platform uses.")
        limit = min(max_bytes, self._left)
        try:
            with self._zip.open(info) as file:
                data = file.read(limit + 1) if info.file_size <= limit else b""
        except (*DAMAGE, OSError, RuntimeError) as error:
            raise EntryError(f"{said} is damaged ({public_name(error)}).") from None
        if info.file_size > limit or len(data) > limit:
            what = "all files together unpack" if limit < max_bytes else "it unpacks"
            raise EntryError(f"{said} is refused: {what} to more than {limit / 1e6:.0f} MB.")
        self._left -= len(data)
        return data

    def _refuse_duplicates(self) -> None:
        counts = Counter(entry.name for entry in self.entries)
        twice = [name for name, count in counts.items() if count > 1]
        self.refused += [f"{_quoted(name)} is there {counts[name]} times; none of them is taken." for name in twice]
        self.entries = [entry for entry in self.entries if counts[entry.name] == 1]

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()


def _checked_name(info: zipfile.ZipInfo) -> str:
    """Return the entry's name; empty for a folder or a hidden or __MACOSX file. EntryError if the name is unsafe."""
    name = _decoded_name(info)
    said = _quoted(name)
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in name):
        raise EntryError(f"{said} has invisible characters in its name.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise EntryError(f"{said} is {'a link' if kind == stat.S_IFLNK else 'no plain file'}; hand in the file itself.")
    folder = name.endswith("/")
    parts = name.removesuffix("/").split("/")
    if "\\" in name or re.match("[A-Za-z]:", name) or any(part in ("", ".", "..") for part in parts):
        raise EntryError(f"{said} would be written outside its folder.")
    if len(parts) > MAX_DEPTH or any(len(part.encode()) > 255 for part in parts):
        raise EntryError(f"{said} has too long a name.")
    if folder or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return ""
    return unicodedata.normalize("NFC", name)


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """Decode the entry's name. zipfile reads names without the UTF-8 flag as code page 437; most of them are UTF-8."""
    name = info.orig_filename
    if info.flag_bits & UTF8_NAME or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        raise EntryError(f"{_quoted(name)} has a name in an unknown encoding; rename it.") from None


def _quoted(name: str) -> str:
    """Quote a name for a message; non-printable characters are escaped."""
    return repr(name if len(name) <= 120 else name[:120] + "…")

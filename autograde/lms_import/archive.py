"""Reads untrusted zip archives: nothing is unpacked to disk, every name is checked, every size is bounded.

The learning platform makes the archive, but students choose the names and contents of the files in it, and a file may
be a zip itself. A bad entry is reported and the others are still read. Opening takes memory in proportion to the size
of the archive.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import TracebackType
from typing import IO

from autograde.course import CourseError

MAX_ENTRIES, MAX_INNER_ENTRIES = 50_000, 2_000
MAX_TOTAL = 8 << 30
MAX_INNER_BYTES = 64 << 20
"""of a zip inside the archive, which is read into memory"""
MAX_DEPTH = 20
MAX_NAME_BYTES = 255
UTF8_NAME = 0x800
ENCRYPTED = 0x1
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, NotImplementedError)
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of characters that no file name needs: controls, directions, lone surrogates, line separators"""


class ArchiveError(CourseError):
    """The archive cannot be read."""


class Defect(Enum):
    """Why an entry is not read."""

    INVISIBLE_CHARACTERS = auto()
    LINK = auto()
    NOT_A_FILE = auto()
    OUTSIDE = auto()
    """it would be written outside its folder"""
    LONG_NAME = auto()
    ENCODING = auto()
    REPEATED = auto()
    ENCRYPTED = auto()
    COMPRESSION = auto()
    DAMAGED = auto()
    TOO_LARGE = auto()
    TOTAL_TOO_LARGE = auto()
    INNER_ZIP = auto()
    """a zip inside the archive that is damaged or contains too many files"""


class EntryError(Exception):
    """One entry cannot be used."""

    def __init__(self, defect: Defect, name: str, limit_bytes: int = 0) -> None:
        super().__init__(defect, name)
        self.defect, self.name, self.limit_bytes = defect, name, limit_bytes


@dataclass(frozen=True)
class Entry:
    """A file or folder in the archive."""

    name: str
    """relative, with forward slashes, normalised (NFC), printable; of a folder without the last slash"""
    info: zipfile.ZipInfo
    is_folder: bool = False

    @property
    def is_hidden(self) -> bool:
        return any(part.startswith(".") for part in self.name.split("/"))


@dataclass
class Budget:
    """How many bytes an archive and the zips inside it may still unpack."""

    left: int = MAX_TOTAL


class Archive:
    """An open zip file; use it in a `with` statement."""

    def __init__(self, source: Path | IO[bytes], budget: Budget | None = None, max_entries: int = MAX_ENTRIES) -> None:
        """Open the zip file. ArchiveError if it cannot be read."""
        try:
            self._zip = zipfile.ZipFile(source)
        except FileNotFoundError:
            raise ArchiveError(f"{source}: no such file") from None
        except UnicodeDecodeError:
            raise ArchiveError(
                f"{source}: contains a name that is marked as UTF-8 and is not; make the zip again"
            ) from None
        except (*DAMAGE, OSError) as error:
            raise ArchiveError(f"{source}: not a zip archive ({str(error)[:100]})") from None
        self._budget = budget or Budget()
        self.entries: list[Entry] = []
        self.defects: list[EntryError] = []
        if len(self._zip.infolist()) > max_entries:
            self._zip.close()
            raise ArchiveError(f"{source}: contains more than {max_entries} files; split it")
        for info in self._zip.infolist():
            try:
                if entry := _check_entry(info):
                    self.entries.append(entry)
            except EntryError as error:
                self.defects.append(error)
        self._refuse_repeated()

    def read(self, entry: Entry, max_bytes: int) -> bytes:
        """Return the entry's bytes. EntryError if they are damaged, encrypted or more than `max_bytes`."""
        info = entry.info
        if info.flag_bits & ENCRYPTED:
            raise EntryError(Defect.ENCRYPTED, entry.name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise EntryError(Defect.COMPRESSION, entry.name)
        limit = min(max_bytes, self._budget.left)
        try:
            with self._zip.open(info) as file:
                data = file.read(limit + 1) if info.file_size <= limit else b""
        except (*DAMAGE, OSError, RuntimeError):
            raise EntryError(Defect.DAMAGED, entry.name) from None
        if info.file_size > limit or len(data) > limit:
            defect = Defect.TOTAL_TOO_LARGE if limit < max_bytes else Defect.TOO_LARGE
            raise EntryError(defect, entry.name, limit)
        self._budget.left -= len(data)
        return data

    def open_inner(self, entry: Entry) -> Archive:
        """Open an entry that is itself a zip. EntryError if it cannot be read or is too large."""
        data = self.read(entry, MAX_INNER_BYTES)
        try:
            return Archive(io.BytesIO(data), self._budget, MAX_INNER_ENTRIES)
        except ArchiveError:
            raise EntryError(Defect.INNER_ZIP, entry.name) from None

    def _refuse_repeated(self) -> None:
        """Refuse all files of a name that occurs several times: which of them is meant is unknown."""
        counts = Counter(entry.name for entry in self.entries if not entry.is_folder)
        repeated = {name for name, count in counts.items() if count > 1}
        self.defects += [EntryError(Defect.REPEATED, name) for name in sorted(repeated)]
        self.entries = [entry for entry in self.entries if entry.name not in repeated]

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()


def _check_entry(info: zipfile.ZipInfo) -> Entry | None:
    """Return the entry; None for what macOS adds to archives. EntryError if its name or kind is unsafe."""
    name = _decode_name(info)
    if any(unicodedata.category(character) in INVISIBLE for character in name):
        raise EntryError(Defect.INVISIBLE_CHARACTERS, name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise EntryError(Defect.LINK if kind == stat.S_IFLNK else Defect.NOT_A_FILE, name)
    parts = name.removesuffix("/").split("/")
    if "\\" in name or re.match("[A-Za-z]:", name) or any(part in ("", ".", "..") for part in parts):
        raise EntryError(Defect.OUTSIDE, name)
    if len(parts) > MAX_DEPTH or any(len(part.encode()) > MAX_NAME_BYTES for part in parts):
        raise EntryError(Defect.LONG_NAME, name)
    if "__MACOSX" in parts or parts[-1] == ".DS_Store":
        return None
    return Entry(unicodedata.normalize("NFC", name.removesuffix("/")), info, is_folder=name.endswith("/"))


def _decode_name(info: zipfile.ZipInfo) -> str:
    """Decode the entry's name. zipfile reads names without the UTF-8 flag as code page 437; most of them are UTF-8."""
    name = info.orig_filename
    if info.flag_bits & UTF8_NAME or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        raise EntryError(Defect.ENCODING, name) from None

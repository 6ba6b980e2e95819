"""Finds the student of each file in an archive from the names that learning platforms give to files."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

from autograde.lms_import.archive import Archive, ArchiveError, Entry, EntryError

SUFFIXES = (".ipynb", ".py")
# Canvas, "Download Submissions": <name>_<LATE_><user>_<submission>_<file>, without folders; the name has no spaces.
CANVAS = re.compile(r"(?P<name>[^_/]*)_(?P<late>LATE_)?(?P<number>\d+)_\d+_(?P<file>[^/]+)")
# Moodle, mod/assign: <full name>_<number>_assignsubmission_file(_)/<file>, or an underscore instead of the slash.
MOODLE = re.compile(r"(?:.*/)?(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_file(?:_?/|_)(?P<file>[^/]+)")
GRADESCOPE = re.compile(r"(?:.*/)?(?P<submission>submission_\d+)/(?P<file>.+)")
NBGRADER = r"(?:.*/)?(?P<student>[^/]+)/{slug}/(?P<file>[^/]+)"
# The number added to a name that is already used: `rmsnorm-1.ipynb` by Canvas, `rmsnorm (1).ipynb` by a browser.
NUMBERED = re.compile(r"(?:-\d+| ?\(\d+\))$")


@dataclass(frozen=True)
class Person:
    """A student as the platform describes them; unknown fields are empty."""

    key: str
    """unique for each person in one archive"""
    student: str = ""
    """the id that the course uses"""
    number: str = ""
    """the platform's user number, the same in all assignments"""
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Claim:
    """A file and the person who submitted it."""

    person: Person
    file: str
    """the name that the student gave it"""
    entry: Entry
    timestamp: str = ""
    late: bool = False

    @property
    def stem(self) -> str:
        return NUMBERED.sub("", PurePosixPath(self.file).stem)


def claims_in(archive: Archive, slug: str, max_metadata: int) -> tuple[list[Claim], list[str]]:
    """Return the files with their students, and the names of notebooks and scripts that match no layout.

    ArchiveError if Gradescope's metadata cannot be read.
    """
    metadata = [entry for entry in archive.entries if entry.name.endswith("submission_metadata.yml")]
    readers: list[Callable[[Entry], list[Claim]]] = [_nbgrader(slug), _moodle, _canvas]
    if metadata:
        try:
            readers = [_gradescope(archive.read(metadata[0], max_metadata))]
        except EntryError as error:
            raise ArchiveError(str(error)) from None
    claims: list[Claim] = []
    strays: list[str] = []
    for entry in archive.entries:
        found: Iterable[Claim] = next(filter(None, (read(entry) for read in readers)), [])
        claims += found
        if not found and entry.name.endswith(SUFFIXES):
            strays.append(entry.name)
    return claims, strays


def _nbgrader(slug: str) -> Callable[[Entry], list[Claim]]:
    pattern = re.compile(NBGRADER.format(slug=re.escape(slug)))

    def read(entry: Entry) -> list[Claim]:
        found = pattern.fullmatch(entry.name)
        return [Claim(Person(key=found["student"], student=found["student"]), found["file"], entry)] if found else []

    return read


def _moodle(entry: Entry) -> list[Claim]:
    """Read a Moodle name. Its number differs between assignments: it is a unique key, but not the student's number."""
    found = MOODLE.fullmatch(entry.name)
    return [Claim(Person(key=found["number"], name=found["name"]), found["file"], entry)] if found else []


def _canvas(entry: Entry) -> list[Claim]:
    found = CANVAS.fullmatch(entry.name)
    if not found:
        return []
    person = Person(key=found["number"], number=found["number"])
    return [Claim(person, found["file"], entry, late=bool(found["late"]))]


def _gradescope(metadata: bytes) -> Callable[[Entry], list[Claim]]:
    """Return a reader for Gradescope, which names folders by submission.

    The metadata file lists the submitters of each submission, several for a group, and its time.
    """
    submissions = _submissions(metadata)

    def read(entry: Entry) -> list[Claim]:
        found = GRADESCOPE.fullmatch(entry.name)
        facts = submissions.get(found["submission"]) if found else None
        if not found or facts is None:
            return []
        return [Claim(_submitter(person), found["file"], entry, facts.timestamp) for person in facts.people]

    return read


@dataclass
class _Submission:
    """One submission in submission_metadata.yml."""

    people: list[dict[str, str]] = field(default_factory=list)
    timestamp: str = ""


def _submissions(metadata: bytes) -> dict[str, _Submission]:
    """Parse the metadata line by line, because a few hostile lines can crash a YAML parser or exhaust the memory."""
    found: dict[str, _Submission] = {}
    now, listing = _Submission(), False
    for line in metadata.decode("utf-8", "replace").splitlines():
        if start := re.fullmatch(r"(submission_\d+):\s*", line):
            now, listing = found.setdefault(start[1], _Submission()), False
        elif key := re.fullmatch(r"  :(\w+):(?: (.*))?", line):
            listing = key[1] == "submitters"
            if key[1] == "created_at":
                now.timestamp = _utc(key[2] or "")
        elif listing and (key := re.fullmatch(r"  (- |  ):(\w+):(?: (.*))?", line)):
            if key[1] == "- ":
                now.people.append({})
            if now.people:
                now.people[-1][key[2]] = _scalar(key[3] or "")
    return found


def _scalar(text: str) -> str:
    """Parse a YAML value on one line: plain, in single quotes, or in double quotes, which are read as JSON."""
    text = text.strip()
    if text[:1] == text[-1:] == "'" and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text[:1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return ""
    return "" if text in ("~", "null") else text


def _submitter(person: dict[str, str]) -> Person:
    sid, email, name = (person.get(key, "") for key in ("sid", "email", "name"))
    return Person(key=sid or email or name, number=sid, name=name, email=email)


def _utc(when: str) -> str:
    """Convert `2027-02-14 23:31:00.5 +01:00` to the format of nbgrader's timestamp.txt; empty if it is not a time."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)? ?(Z|UTC|[+-]\d\d:?\d\d)?", _scalar(when))
    if not found:
        return ""
    zone = found[3] if found[3] not in (None, "Z", "UTC") else "+00:00"
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}").astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError):
        return ""

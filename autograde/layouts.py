"""Whose each file of an archive is, by the way that learning platforms name what they pack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import yaml

from autograde.archive import Archive, Entry, EntryError

SUFFIXES = (".ipynb", ".py")
# <name>_<LATE_><user>_<submission>_<file>, flat; letters of the name run together. Canvas, "Download Submissions".
CANVAS = re.compile(r"(?P<name>[^_/]*)_(?P<late>LATE_)?(?P<number>\d+)_\d+_(?P<file>[^/]+)")
# <full name>_<number>_assignsubmission_file(_)/<file>, or flat with another underscore. Moodle, mod/assign.
MOODLE = re.compile(r"(?:.*/)?(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_file(?:_?/|_)(?P<file>[^/]+)")
GRADESCOPE = re.compile(r"(?:.*/)?(?P<submission>submission_\d+)/(?P<file>.+)")
NBGRADER = r"(?:.*/)?(?P<student>[^/]+)/{slug}/(?P<file>[^/]+)"
# A name that was taken gets a number: `rmsnorm-1.ipynb` from Canvas, `rmsnorm (1).ipynb` from a browser.
NUMBERED = re.compile(r"(?:-\d+| ?\(\d+\))$")


@dataclass(frozen=True)
class Person:
    """A student in the platform's words; what it does not say is empty."""

    key: str
    """tells people of one archive apart"""
    student: str = ""
    """the id that the course uses"""
    number: str = ""
    """the platform's own, the same in every assignment"""
    name: str = ""
    email: str = ""


@dataclass(frozen=True)
class Claim:
    """A file and whose it is."""

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
    """Whose each file is, and the notebooks and scripts that are nobody's."""
    metadata = [entry for entry in archive.entries if entry.name.endswith("submission_metadata.yml")]
    readers: list[Callable[[Entry], list[Claim]]] = [_nbgrader(slug), _moodle, _canvas]
    if metadata:
        readers = [_gradescope(archive.read(metadata[0], max_metadata))]
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
    """Moodle's number is of this assignment alone, so that it tells people apart but names nobody."""
    found = MOODLE.fullmatch(entry.name)
    return [Claim(Person(key=found["number"], name=found["name"]), found["file"], entry)] if found else []


def _canvas(entry: Entry) -> list[Claim]:
    found = CANVAS.fullmatch(entry.name)
    if not found:
        return []
    person = Person(key=found["number"], number=found["number"])
    return [Claim(person, found["file"], entry, late=bool(found["late"]))]


def _gradescope(metadata: bytes) -> Callable[[Entry], list[Claim]]:
    """Gradescope names folders by submission; who and when is in a file with Ruby's `:keys`. A group shares one."""
    try:
        said = yaml.load(metadata, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise EntryError(f"submission_metadata.yml cannot be read ({type(error).__name__}).") from None
    submissions = said if isinstance(said, dict) else {}

    def read(entry: Entry) -> list[Claim]:
        found = GRADESCOPE.fullmatch(entry.name)
        facts = submissions.get(found["submission"]) if found else None
        people = facts.get(":submitters") if isinstance(facts, dict) else None
        if not found or not isinstance(facts, dict) or not isinstance(people, list):
            return []
        when = _utc(facts.get(":created_at"))
        return [Claim(_submitter(person), found["file"], entry, when) for person in people if isinstance(person, dict)]

    return read


def _submitter(person: dict[Any, Any]) -> Person:
    sid, email, name = (str(person.get(key) or "") for key in (":sid", ":email", ":name"))
    return Person(key=sid or email or name, number=sid, name=name, email=email)


def _utc(when: Any) -> str:
    """A YAML time as nbgrader's timestamp.txt; empty if it is none."""
    if not isinstance(when, datetime):
        return ""
    there = when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    return there.strftime("%Y-%m-%d %H:%M:%S.%f UTC")

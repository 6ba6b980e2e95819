"""Blackboard Learn, "Assignment File Download": files without folders, and a text file for each attempt.

From help.blackboard.com ("Download assignments") and the tools that read these archives (kwurst/bb-file-cleanup,
CodeGrade's blackboard parser): `<assignment>_<username>_attempt_<yyyy-mm-dd-hh-mm-ss>_<file>`, and the same without
`_<file>` and with `.txt`, whose first line is `Name: <full name> (<username>)`. The time is the server's local time.
Assignment and username may contain underscores.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Iterable, Set

from autograde.lms_import.archive import Entry, EntryError
from autograde.lms_import.facts import Claim, Content, Listing, Person, Reading
from autograde.lms_import.times import parse_local

FILE = re.compile(
    r"(?P<head>.+?_.+?)_attempt_(?P<time>\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d)(?:(?P<summary>\.txt)|_(?P<file>[^/]+))"
)
NAME_LINE = re.compile(r"Name: *(?P<name>.*?) *\((?P<username>[^()]*)\)")
TIME = "%Y-%m-%d-%H-%M-%S"
MAX_SUMMARY = 1 << 20


def fits(top: str) -> bool:
    return _match(top) is not None


def _match(name: str) -> re.Match[str] | None:
    # Without the test, a long name full of underscores would take quadratic time.
    return FILE.fullmatch(name.removesuffix("/")) if "_attempt_" in name else None


def read(listing: Listing) -> Reading:
    reading = Reading()
    found = [(member, _match(member.top)) for member in listing.members]
    heads = {parts["head"] for _, parts in found if parts}
    prefix = find_assignment(heads)
    names = {
        parts["head"]: name
        for member, parts in found
        if parts and parts["summary"] and "/" not in member.top and (name := _read_name(listing, member.entry))
    }
    people = {head: _person(head, prefix, names.get(head, ""), listing.known_ids) for head in heads}
    for member, parts in found:
        if not parts:
            reading.strays.append(member)
            continue
        reading.claims.append(
            Claim(
                people[parts["head"]],
                "/".join(filter(None, (parts["file"], member.name.partition("/")[2]))),
                member.entry,
                Content.SUMMARY if parts["summary"] else Content.FILE,
                submission=parts["time"],
                attempt=parts["time"],
                timestamp=parse_local(parts["time"], TIME, listing.timezone),
            )
        )
    return reading


def find_assignment(heads: Iterable[str]) -> str:
    """The assignment's name with its underscore, which all names begin with; empty if only one name is known."""
    heads = list(heads)
    return os.path.commonprefix(heads).rpartition("_")[0] + "_" if len(heads) > 1 else ""


def _person(head: str, prefix: str, name: str, known_ids: Set[str]) -> Person:
    """A username may contain underscores: the longest end of `head` that the roster knows, else what is left."""
    rest = head.removeprefix(prefix) if prefix else head
    pieces = rest.split("_")
    ends = ["_".join(pieces[start:]) for start in range(len(pieces))]
    likely = rest if prefix else ends[-1]
    username = next((end for end in ends if end in known_ids), likely)
    return Person(key=username, usernames=(username,), number=username if username.isdigit() else "", name=name)


def _read_name(listing: Listing, entry: Entry) -> str:
    """The full name in the first line of an attempt's summary, which Blackboard writes; the rest is the student's."""
    try:
        text = listing.archive.read(entry, MAX_SUMMARY).decode("utf-8-sig", "replace")
    except EntryError:
        return ""
    found = NAME_LINE.fullmatch(text.split("\n", 1)[0].strip())
    return found["name"] if found else ""

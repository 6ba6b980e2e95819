"""Moodle, "Download all submissions": a folder for each person and kind of submission, or files with the same prefix.

From mod/assign/classes/downloader.php and locallib.php of moodle/moodle: the prefix is `<full name>_<number>`, with the
underscores of the name replaced by spaces, then `_assignsubmission_<plugin>`, where `file` is an uploaded file and
`onlinetext` a typed one. The number belongs to one assignment; it is not the student's number. Blind marking writes the
word for "Participant" instead of the name. With groups, older versions put `<group>-` before the name, and a team
submission has the team's name and number, or no number for students without a team.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from autograde.lms_import.facts import Claim, Content, Listing, Member, Person, Reading
from autograde.lms_import.names import fold

FOLDER = re.compile(r"(?P<name>.*?)(?:_(?P<number>\d+))?_assignsubmission_(?P<plugin>[a-z0-9]+)_?")
FLAT = re.compile(r"(?P<name>[^_/]*)(?:_(?P<number>\d+))?_assignsubmission_(?P<plugin>[a-z0-9]+)_(?P<file>[^/]+)")
PARTICIPANT = "participant"


def fits(top: str) -> bool:
    return _match(top) is not None


def _match(top: str) -> re.Match[str] | None:
    """A folder with the prefix of a file is one that an instructor got by unpacking a student's zip."""
    name = top.removesuffix("/")
    return (FOLDER.fullmatch(name) if top.endswith("/") else None) or FLAT.fullmatch(name)


def read(listing: Listing) -> Reading:
    reading = Reading()
    for member in listing.members:
        claim = _read(member)
        if claim:
            reading.claims.append(claim)
        else:
            reading.strays.append(member)
    described = describe_people({claim.person for claim in reading.claims})
    reading.claims = [replace(claim, person=described[claim.person]) for claim in reading.claims]
    return reading


def _read(member: Member) -> Claim | None:
    found = _match(member.top)
    if not found:
        return None
    name, number = found["name"], found["number"] or ""
    person = Person(key=f"{name}_{number}" if number else name, name=name)
    if found["plugin"] != "file":
        return Claim(person, "", member.entry, Content.TEXT)
    path = (found.groupdict().get("file"), member.name.partition("/")[2])
    return Claim(person, "/".join(filter(None, path)), member.entry)


def describe_people(people: Iterable[Person]) -> dict[Person, Person]:
    """Add what only all names together show: whether they begin with a team, and whether they are anonymous."""
    people = list(people)
    has_team = bool(people) and all("-" in person.name for person in people)
    words = [fold(person.name.rpartition("-")[2]) for person in people]
    anonymous = len(words) > 1 and len(set(words)) == 1 and " " not in words[0]
    return {
        person: replace(
            person,
            name_parts=_without_team(person.name),
            has_team=has_team,
            anonymous=person.key != person.name and (anonymous or word == PARTICIPANT),
        )
        for person, word in zip(people, words, strict=True)
    }


def _without_team(name: str) -> tuple[str, ...]:
    """The name without each beginning that ends with a hyphen; both teams and people have hyphens in their names."""
    pieces = name.split("-")
    return tuple("-".join(pieces[start:]).strip() for start in range(1, len(pieces)))

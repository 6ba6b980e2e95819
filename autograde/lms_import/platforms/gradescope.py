"""Gradescope, "Export Submissions": a folder for each submission, and submission_metadata.yml at the top.

There is no public source; this follows exports and the tools that read them. The metadata maps `submission_<n>` to
`:submitters:` (`:name:`, `:sid:`, `:email:`; several for a group) and `:created_at:`. It is YAML as Ruby writes it, and
contains text of students (names, outputs of tests), which is indented further than the lines read here.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from autograde.lms_import.archive import ArchiveError, EntryError
from autograde.lms_import.facts import Claim, Content, Listing, Member, Person, Reading
from autograde.lms_import.times import parse_time

METADATA = "submission_metadata.yml"
MAX_METADATA = 32 << 20
FOLDER = re.compile(r"submission_\d+")
FILE = re.compile(r"(?P<submission>submission_\d+)(?P<suffix>\.\w+)")


@dataclass
class Submission:
    """One submission in the metadata."""

    people: list[dict[str, str]] = field(default_factory=list)
    timestamp: str = ""


def fits(top: str) -> bool:
    return top == METADATA or bool(FOLDER.fullmatch(top.removesuffix("/")))


def read(listing: Listing) -> Reading:
    """Read the metadata, then the folders. ArchiveError if there is no metadata that can be read."""
    metadata = [member for member in listing.members if member.name == METADATA and not member.entry.is_folder]
    if not metadata:
        raise ArchiveError(
            f"a Gradescope export without {METADATA}, which says who submitted what; download the whole export"
        )
    try:
        text = listing.archive.read(metadata[0].entry, MAX_METADATA).decode("utf-8", "replace")
    except EntryError:
        raise ArchiveError(f"{METADATA} cannot be read; download the export again") from None
    submissions = parse_metadata(text)
    reading = Reading()
    present = set()
    for member in listing.members:
        if member.name == METADATA:
            continue
        name, file = _split(member)
        submission = submissions.get(name)
        if submission is None or not _people(submission):
            reading.strays.append(member)
            continue
        if file or not member.entry.is_folder:
            present.add(name)
        reading.claims += [
            Claim(person, file, member.entry, submission=name, timestamp=submission.timestamp)
            for person in _people(submission)
        ]
    for name in submissions.keys() - present:
        people = _people(submissions[name]) or [Person(key=name)]
        reading.claims += [Claim(person, "", None, Content.NOTHING, submission=name) for person in people]
    return reading


def _split(member: Member) -> tuple[str, str]:
    """The submission, and the file's path in its folder."""
    top, _, file = member.name.partition("/")
    if not file and not member.entry.is_folder and (found := FILE.fullmatch(top)):
        return found["submission"], top
    return top, file


def _people(submission: Submission) -> list[Person]:
    """The submitters without duplicates; two with one number and different addresses stay two."""
    return [person for person in dict.fromkeys(map(_person, submission.people)) if person.key]


def _person(facts: dict[str, str]) -> Person:
    sid, email, name = (facts.get(key, "") for key in ("sid", "email", "name"))
    return Person(key=sid or email or name, usernames=(sid,) if sid else (), number=sid, name=name, email=email)


def parse_metadata(text: str) -> dict[str, Submission]:
    """Parse the metadata line by line, because a few hostile lines can crash a YAML parser or exhaust the memory."""
    found: dict[str, Submission] = {}
    now, listing = Submission(), False
    for line in text.replace("\r\n", "\n").split("\n"):  # splitlines() would also split at separators within names
        if start := re.fullmatch(r"(submission_\d+):\s*", line):
            now, listing = found.setdefault(start[1], Submission()), False
        elif re.match(r"\S", line):
            now, listing = Submission(), False
        elif key := re.fullmatch(r"  :(\w+):(?: (.*))?", line):
            listing = key[1] == "submitters"
            if key[1] == "created_at":
                now.timestamp = parse_time(_scalar(key[2] or ""))
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

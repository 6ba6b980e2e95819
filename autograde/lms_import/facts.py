"""What the layout of an archive says about its files: who submitted them and when, as the platform wrote it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from enum import Enum, auto

from autograde.lms_import.archive import Archive, Entry


class Platform(Enum):
    """Where an archive comes from; the value is its name in `course collect --from`."""

    NBGRADER = "nbgrader"
    CANVAS = "canvas"
    MOODLE = "moodle"
    GRADESCOPE = "gradescope"
    BLACKBOARD = "blackboard"
    BRIGHTSPACE = "brightspace"


class Content(Enum):
    """What a person submitted."""

    FILE = auto()
    LINK = auto()
    """a web address"""
    TEXT = auto()
    """text typed into the platform's page"""
    SUMMARY = auto()
    """the platform's own page about the submission, which may contain such text"""
    NOTHING = auto()
    """the platform lists the submission, and the archive has no file of it"""


@dataclass(frozen=True)
class Person:
    """A submitter as the platform describes them; unknown fields are empty."""

    key: str
    """what a table of keys (`--keys`) calls them, and how messages name them"""
    student: str = ""
    """the id that the course uses, from nbgrader's folders"""
    usernames: tuple[str, ...] = ()
    """login names, of which one may be the id that the course uses"""
    number: str = ""
    """the platform's user number, the same in all assignments"""
    name: str = ""
    name_parts: tuple[str, ...] = ()
    """the name without what may be the name of a team before it"""
    has_team: bool = False
    """whether all names of the archive look as if they began with a team"""
    email: str = ""
    hint: str = ""
    """a number that may be the platform's user number; it only tells students of one name apart"""
    anonymous: bool = False

    @property
    def label(self) -> str:
        """Name and key, for messages."""
        return f"{self.name} ({self.key})" if self.name and self.name != self.key else self.key


@dataclass(frozen=True)
class Claim:
    """A file and the person who submitted it."""

    person: Person
    file: str
    """the path that the student gave it: never a source of identity or time"""
    entry: Entry | None
    content: Content = Content.FILE
    submission: str = ""
    """which of a person's submissions it belongs to, if the archive may contain several"""
    attempt: str = ""
    """sorts the submissions of one person, the last one counts; empty if the platform does not say"""
    timestamp: str = ""
    """UTC, in the format of nbgrader's timestamp.txt; empty if the platform does not say"""
    unread_time: str = ""
    """the time as the platform wrote it, if that is in no known format"""
    late: bool = False


@dataclass(frozen=True)
class Member:
    """A file or folder of the archive, named without the folders that enclose everything."""

    name: str
    entry: Entry

    @property
    def top(self) -> str:
        """The first part of the path; of a folder with a slash at its end."""
        first, slash, _ = self.name.partition("/")
        return f"{first}/" if slash or self.entry.is_folder else first


@dataclass(frozen=True)
class Listing:
    """The files of an archive, and what reading their names needs to know of the course."""

    archive: Archive
    members: list[Member]
    slug: str
    timezone: str
    known_ids: Set[str] = frozenset()
    """the roster's students"""
    known_numbers: Set[str] = frozenset()
    """the roster's numbers on the platform"""
    enclosing: str = ""
    """the folders that enclose everything and say nothing about a person"""


@dataclass
class Reading:
    """A listing as one platform's layout reads it."""

    claims: list[Claim] = field(default_factory=list)
    strays: list[Member] = field(default_factory=list)
    """what the layout does not explain"""
    unclear: list[Member] = field(default_factory=list)
    """files whose names give two different users"""
    bad_times: list[Person] = field(default_factory=list)
    """whose timestamp.txt is not a time"""

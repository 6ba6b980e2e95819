"""What collecting an archive did, as facts; `cli/collect_text.py` makes sentences of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from autograde.lms_import.archive import EntryError


class Placed(Enum):
    """A submission is in submitted/."""

    NEW = auto()
    REPLACED = auto()
    UNCHANGED = auto()


class Note(Enum):
    """Worth knowing; nothing has to be done."""

    NO_ROSTER = auto()
    NOT_IN_ARCHIVE = auto()
    ENCLOSING_FOLDER = auto()
    UNDERSCORES = auto()
    NAME_FIXED = auto()
    """the file is taken under the assignment's name"""
    FROM_ZIP = auto()
    NOT_TAKEN = auto()
    OTHER_ASSIGNMENT = auto()
    """the file is named like another assignment of the course"""
    OTHER_ASSIGNMENTS_FILES = auto()
    """nbgrader's folders of other assignments"""
    OTHER_FILES = auto()
    EARLIER_ATTEMPTS = auto()
    MATCHED_BY_NAME = auto()
    OTHER_NAME = auto()
    """the platform's name has no word in common with the roster's: a group, or a preferred name"""
    RENAMED = auto()
    """a student who was collected under another id before the roster had them"""
    LATE = auto()
    ADDED = auto()
    """a person outside the roster, accepted by an option"""
    UNUSED_TIMES = auto()


class ToDo(Enum):
    """The submission is collected, and something about it needs a person."""

    LATE_WITHOUT_TIME = auto()
    UNREAD_TIME = auto()
    TEXT_NOT_COLLECTED = auto()
    NUMBER_DIFFERS = auto()
    BAD_TIMESTAMP = auto()
    COLLECTED_TWICE = auto()
    """also under an earlier id, which could not be renamed"""


class Refusal(Enum):
    """A submission, or a part of the archive, that is not collected."""

    NO_SUBMISSIONS = auto()
    UNKNOWN_LAYOUT = auto()
    ENTRY = auto()
    STRAY = auto()
    TWO_USERS = auto()
    ANONYMOUS = auto()
    UNKNOWN_PERSON = auto()
    SEVERAL_STUDENTS = auto()
    SEVERAL_PEOPLE = auto()
    BETTER_MATCH = auto()
    UNUSABLE_ID = auto()
    ID_TAKEN = auto()
    """the id made for a person is a student's of the roster"""
    SAME_BUT_CASE = auto()
    LINK = auto()
    TEXT = auto()
    NO_FILES = auto()
    NO_NOTEBOOK = auto()
    SEVERAL_NOTEBOOKS = auto()
    SEVERAL_SUBMISSIONS = auto()
    NUMBER_DIFFERS = auto()
    FOLDER = auto()
    """submitted/ cannot take it; the detail says why"""


Kind = Placed | Note | ToDo | Refusal


@dataclass(frozen=True)
class Outcome:
    """One thing that happened."""

    kind: Kind
    who: str = ""
    """a student's id, or the platform's name of a person without one"""
    names: tuple[str, ...] = ()
    """files, students or people that it is about"""
    detail: str = ""
    entry: EntryError | None = None

    @property
    def needs_action(self) -> bool:
        return isinstance(self.kind, ToDo | Refusal)

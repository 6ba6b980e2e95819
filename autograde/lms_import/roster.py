"""Finds the students of the gradebook by a platform's numbers, names, login names and e-mail addresses."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import IntEnum
from typing import TYPE_CHECKING

from autograde.course import Course
from autograde.lms_import.facts import Person
from autograde.lms_import.names import fold, spell_name, spell_roster_name

if TYPE_CHECKING:  # importing nbgrader takes longer than reading most archives
    from autograde.records.database import CourseGradebook

SAFE_ID = re.compile(r"\w[\w.@-]{0,63}")
Index = dict[str, set[str]]


class Strength(IntEnum):
    """How sure it is that a person is a student; the surest of several people gets the student."""

    TEAM_REMOVED = 1
    NAME = 2
    IDENTITY = 3
    """the platform's number, a login name or an e-mail address"""
    TABLE = 4
    """the instructor says so"""


@dataclass(frozen=True)
class Match:
    """The students that a person may be: one, or several between whom nothing decides."""

    students: frozenset[str]
    strength: Strength
    other_number: str = ""
    """the roster's number of the student, if the platform's is another one"""


@dataclass
class Roster:
    """The gradebook's students."""

    names: dict[str, str] = field(default_factory=dict)
    """id -> name, which may be empty"""
    numbers: dict[str, str] = field(default_factory=dict)
    """id -> number on the platform"""
    by_number: Index = field(default_factory=lambda: defaultdict(set))
    by_email: Index = field(default_factory=lambda: defaultdict(set))
    by_name: Index = field(default_factory=lambda: defaultdict(set))
    by_folded_id: Index = field(default_factory=lambda: defaultdict(set))

    @property
    def exists(self) -> bool:
        return bool(self.names)

    @property
    def ids(self) -> Set[str]:
        return self.names.keys()

    @property
    def known_numbers(self) -> Set[str]:
        return self.by_number.keys()

    def add(self, student: str, *, number: str = "", first: str = "", last: str = "", email: str = "") -> None:
        self.names[student] = f"{first} {last}".strip()
        self.by_folded_id[student.casefold()].add(student)
        if number:
            self.numbers[student] = number
            self.by_number[number].add(student)
        if email:
            self.by_email[email.casefold()].add(student)
        for spelling in spell_roster_name(first, last):
            self.by_name[spelling].add(student)

    def find(self, person: Person) -> Match | None:
        """Return the students that the person may be; None if the roster has no similar student."""
        if person.student:
            return self._find_id(person.student)
        emails, numbers = self._find_email(person.email), self._find_number(person)
        if emails or numbers:
            # Where there is an address, students may set their number themselves: it counts less.
            sure = emails or not person.email
            return Match(frozenset(emails | numbers), Strength.IDENTITY if sure else Strength.NAME)
        whole = self._find_name(person.name)
        parts = set[str]().union(*(self._find_name(part) for part in person.name_parts))
        if whole and not (person.has_team and parts - whole):
            return self._match_by_name(whole, person, Strength.NAME)
        if whole or parts:
            return self._match_by_name(whole | parts, person, Strength.TEAM_REMOVED)
        return None

    def _find_id(self, student: str) -> Match | None:
        if student in self.names:
            return Match(frozenset({student}), Strength.IDENTITY)
        folded = self.by_folded_id.get(student.casefold())
        return Match(frozenset(folded), Strength.NAME) if folded else None

    def _find_email(self, email: str) -> set[str]:
        email = email.casefold()
        return self.by_email.get(email, set()) | self.by_folded_id.get(email, set()) if email else set()

    def _find_number(self, person: Person) -> set[str]:
        """The students with the platform's number or login name, which may be the course's id too.

        In a roster with numbers, an id that equals another number says nothing.
        """
        if person.number and (numbers := self.by_number.get(person.number)):
            return numbers
        logins = {login.casefold() for login in person.usernames if login}
        if person.number and not self.by_number and person.number in self.names:
            return {person.number}
        ids = {student for login in logins for student in self.by_folded_id.get(login, ())}
        return ids or {student for login in logins for student in self._find_login(login)}

    def _find_login(self, login: str) -> set[str]:
        """The students whose e-mail address is the login name, or has it before the @."""
        return {
            student
            for email, students in self.by_email.items()
            if login in (email, email.partition("@")[0])
            for student in students
        }

    def _find_name(self, name: str) -> set[str]:
        return {student for spelling in spell_name(name) for student in self.by_name.get(spelling, ())}

    def _match_by_name(self, students: set[str], person: Person, strength: Strength) -> Match:
        if len(students) > 1 and person.hint:
            students = students & self.by_number.get(person.hint, set()) or students
        (one, *others) = students
        other = self.numbers.get(one, "") if person.number and not others else ""
        return Match(frozenset(students), strength, other_number="" if other == person.number else other)

    def find_nearest(self, person: Person) -> str:
        """The id of the student whose name or id is most similar to the person's; empty without a roster."""
        wanted = _sorted_letters(person.name or person.student or person.email or person.key)
        matcher = SequenceMatcher(b=wanted, autojunk=False)
        nearest, best = "", -1.0
        for student, name in sorted(self.names.items()):
            for spelling in {_sorted_letters(name), fold(name).replace(" ", ""), student.casefold()}:
                matcher.set_seq1(spelling)
                if matcher.quick_ratio() > best and matcher.ratio() > best:
                    nearest, best = student, matcher.ratio()
        return nearest

    def names_agree(self, student: str, person: Person) -> bool:
        """Whether the platform's name contains a word of the roster's name; True if one of them has no name."""
        words = [word for word in fold(self.names.get(student, ""), " ").split() if len(word) > 1]
        name = fold(person.name, "").replace(" ", "")
        return not words or not name or any(word in name for word in words)


def read_roster(course: Course) -> Roster:
    """Read the students from the gradebook; the roster is empty if there is no gradebook, or no student in it.

    Grading adds a row with nothing but an id for a student that it does not find: those rows are no roster.
    """
    from autograde.records.database import CourseGradebook, database_errors, has_gradebook

    roster = Roster()
    if not has_gradebook(course):
        return roster
    with database_errors(course), CourseGradebook(course) as gradebook:
        rows = list(gradebook.students)
        submitters = _read_submitters(gradebook)
        described = [row for row in rows if row.first_name or row.last_name or row.email or row.lms_user_id]
        bare = [row for row in rows if row not in described]
        entered = [row for row in bare if row.id not in submitters]
        # A roster of ids alone: a student who was graded is in it too.
        people = described + entered if described or not entered else bare
        for row in people if described or entered else ():
            facts = {"number": row.lms_user_id, "first": row.first_name, "last": row.last_name, "email": row.email}
            roster.add(row.id, **{key: (value or "").strip() for key, value in facts.items()})
    return roster


def _read_submitters(gradebook: CourseGradebook) -> set[str]:
    from nbgrader.api import SubmittedAssignment

    return {student for (student,) in gradebook.db.query(SubmittedAssignment.student_id).distinct()}


def invent_id(person: Person) -> str:
    """The id of a person whom no roster has: the platform's number or login name, else made from the name."""
    if given := person.student or person.number or "".join(person.usernames[:1]):
        return given
    source = person.key if person.anonymous else person.name or person.email or person.key
    return re.sub(r"[^\w.@-]+", "_", source).strip("_")


def is_safe_id(student: str) -> bool:
    """Whether the id can be a folder's name, and is harmless in a shell, in a glob pattern and in HTML."""
    return bool(SAFE_ID.fullmatch(student)) and unicodedata.normalize("NFC", student) == student


def _sorted_letters(name: str) -> str:
    """The words of a name in alphabetical order, without spaces."""
    return "".join(sorted(fold(name, " ").split()))

"""Maps a learning platform's numbers, names and e-mail addresses to the course's student ids."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from autograde.course import Course
from autograde.lms_import.layouts import Person

SAFE_ID = re.compile(r"\w[\w.@-]{0,63}")


class RosterError(Exception):
    """No student id, or more than one, matches a person; the message is a sentence."""


@dataclass
class Roster:
    """The gradebook's students."""

    ids: set[str] = field(default_factory=set)
    by_number: dict[str, str] = field(default_factory=dict)
    by_email: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, course: Course) -> Roster:
        """Read the students from the gradebook; the roster is empty if there is no gradebook."""
        from autograde.records.database import CourseGradebook, database_errors, has_gradebook

        roster = cls()
        if has_gradebook(course):
            with database_errors(course), CourseGradebook(course) as gradebook:
                for student in gradebook.students:
                    name = f"{student.first_name or ''} {student.last_name or ''}"
                    roster.add(student.id, number=student.lms_user_id, name=name, email=student.email)
        return roster

    def add(self, student: str, *, number: str | None = "", name: str = "", email: str | None = "") -> None:
        self.ids.add(student)
        if number:
            self.by_number[number] = student
        if email:
            self.by_email[email.casefold()] = student
        if name.strip():
            self.by_name[_folded(name)].add(student)

    def student(self, person: Person) -> str:
        """Return the person's student id; if they are not in the gradebook, make one from the platform's data."""
        if person.student:
            return _safe(person.student)
        for found in (self.by_number.get(person.number), self.by_email.get(person.email.casefold())):
            if found:
                return _safe(found)
        if person.number:
            return _safe(person.number)
        known = self.by_name.get(_folded(person.name), set())
        if len(known) > 1:
            raise RosterError(f"{person.name!r}: {len(known)} students of the course have this name; collect by hand.")
        return _safe(next(iter(known), "") or re.sub(r"[^\w.@-]+", "_", person.name or person.email).strip("_"))


def _safe(student: str) -> str:
    """Return the id if it is safe as a folder name, in a shell, in a glob pattern and in HTML; else RosterError."""
    if not SAFE_ID.fullmatch(student) or unicodedata.normalize("NFC", student) != student:
        raise RosterError(f"{student!r}: no student id; use letters, digits and . _ - @, at most 64.")
    return student


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())

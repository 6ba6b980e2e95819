"""Who a learning platform means: its numbers, names and e-mails, and the course's student ids."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field

from autograde.course import Course
from autograde.lms_import.layouts import Person

SAFE_ID = re.compile(r"\w[\w.@-]{0,63}")


class RosterError(Exception):
    """Nobody, or more than one, may be meant; the text is a sentence."""


@dataclass
class Roster:
    """The gradebook's students."""

    ids: set[str] = field(default_factory=set)
    by_number: dict[str, str] = field(default_factory=dict)
    by_email: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def of(cls, course: Course) -> Roster:
        """Empty without a gradebook."""
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
        """Their id in the course; for somebody who is not in the gradebook, one made from what the platform says."""
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
    """An id that is a folder's name and means nothing to a shell, a pattern or a page."""
    if not SAFE_ID.fullmatch(student) or unicodedata.normalize("NFC", student) != student:
        raise RosterError(f"{student!r}: no student id; use letters, digits and . _ - @, at most 64.")
    return student


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())

"""What the instructor adds to an archive: who a key is, when work was submitted, and who is accepted."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograde.course import CourseError
from autograde.lms_import.facts import Person, Platform
from autograde.lms_import.times import parse_time

HEADERS = {"student", "student_id", "id"}


@dataclass(frozen=True)
class Times:
    """When work was submitted, UTC, in the format of nbgrader's timestamp.txt."""

    by_student: Mapping[str, str] = field(default_factory=dict)
    """from a CSV: a student's id, or what the platform calls them -> time"""
    by_number: Mapping[str, str] = field(default_factory=dict)
    """from Canvas: the platform's number -> time"""

    def look_up(self, student: str, person: Person, number: str) -> str:
        """The time of a student, whose number the roster has as `number`; empty if it is not known."""
        names = (student, person.number, person.key, person.email)
        if written := next((name for name in names if name and name in self.by_student), ""):
            return self.by_student[written]
        return self.by_number.get(person.number) or self.by_number.get(number, "")


@dataclass(frozen=True)
class Options:
    """The options of `course collect`."""

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """what the platform calls a person -> the students"""
    times: Times = field(default_factory=Times)
    accept_unknown: bool = False
    platform: Platform | None = None

    def find_students(self, person: Person) -> tuple[str, ...]:
        """The students whom the table gives for this person; empty if it does not list them."""
        short = person.key.rpartition("_")[2] if person.anonymous else ""
        names = (person.key, person.number, person.email, short)
        return next((self.keys[name] for name in names if name and name in self.keys), ())


NO_OPTIONS = Options()


def read_keys(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a CSV of two columns, key and student; several students of a group are separated by spaces.

    CourseError for a row that is not complete, and for a key or a student that occurs twice.
    """
    keys: dict[str, tuple[str, ...]] = {}
    listed: set[str] = set()
    for number, key, cell in _rows(path):
        if number == 1 and cell.casefold() in HEADERS:
            continue
        own = tuple(cell.split())
        if key in keys:
            raise CourseError(f"{path}, line {number}: the key {key!r} occurs twice; keep one row")
        if repeated := sorted(listed & set(own)):
            raise CourseError(f"{path}, line {number}: the student {repeated[0]!r} occurs twice; keep one row")
        keys[key] = own
        listed |= set(own)
    return keys


def read_times(path: Path, timezone: str) -> Times:
    """Read the answer of Canvas's *List assignment submissions*, or a CSV of two columns, student and time.

    A time without a zone is local time in `timezone`. CourseError for a row that cannot be read or occurs twice.
    """
    text = _text(path)
    if text.lstrip()[:1] in ("[", "{"):
        return Times(by_number=_canvas_times(path, text))
    times: dict[str, str] = {}
    for number, student, written in _rows(path):
        time = parse_time(written, timezone)
        if not time and number == 1:
            continue  # the header
        if not time:
            raise CourseError(f"{path}, line {number}: {written!r} is not a time; write it as 2027-01-31 23:59")
        if student in times:
            raise CourseError(f"{path}, line {number}: {student!r} occurs twice; keep one row")
        times[student] = time
    return Times(by_student=times)


def _canvas_times(path: Path, text: str) -> dict[str, str]:
    """User number -> time of submission. The answer has several pages, which may follow each other in the file."""
    times: dict[str, str] = {}
    for submission in _canvas_submissions(path, text):
        number, written = submission.get("user_id"), submission.get("submitted_at")
        if number is None or written is None:  # anonymous, or not submitted
            continue
        time = parse_time(str(written))
        if not time:
            raise CourseError(f"{path}: submitted_at of user {number} is {written!r}, which is not a time")
        if times.get(str(number), time) != time:
            raise CourseError(f"{path}: user {number} occurs twice with different times; keep one")
        times[str(number)] = time
    return times


def _canvas_submissions(path: Path, text: str) -> Iterator[dict[str, Any]]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            page, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise CourseError(f"{path}: not valid JSON; save the answer of the API unchanged") from None
        for submission in page if isinstance(page, list) else [page]:
            if not isinstance(submission, dict) or "user_id" not in submission:
                raise CourseError(f"{path}: not a list of submissions with user_id and submitted_at")
            yield submission
        at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line number and the two cells of each row, which may be separated by commas, semicolons or tabs."""
    text = _text(path)
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    lines = csv.reader(text.splitlines(), delimiter=separator)
    for row in lines:
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) < 2 or not cells[0] or not cells[1] or any(cells[2:]):
            raise CourseError(f"{path}, line {lines.line_num}: write two cells in each row")
        yield lines.line_num, cells[0], cells[1]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise CourseError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise CourseError(f"{path}: not UTF-8 text; save it as CSV UTF-8") from None

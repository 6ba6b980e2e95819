"""The course's append-only log of who graded what, when and with which version: one JSON object per line.

Each entry is appended in one write, so a killed process leaves a complete line or none. At the end of a page of the
file it may leave an incomplete line, which the next entry terminates and readers skip. A grading is logged before its
report is written, so every report has an entry.
"""

from __future__ import annotations

import errno
import fcntl
import getpass
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from autograde.course import Course, Work
from autograde.grading.digests import Version
from autograde.report import Report, decode_report, write_report

GRADED, WITHHELD, SHOWN = "graded", "withheld", "shown"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    when: str
    """UTC, ISO 8601"""
    who: str
    """the account on the grading machine"""
    event: str
    """graded; withheld (engine fault, no grade changed); or shown (feedback was written for the student)"""
    assignment: str
    student: str
    version: Version | None = None
    """the version that the report depends on; None for `shown`"""
    before: float | None = None
    """automatic points of the earlier report; None if there was none"""
    after: float | None = None
    """automatic points now; None if withheld"""
    points: dict[str, float] = {}
    """`after` by exercise"""


def store_report(work: Work, report: Report, version: Version) -> None:
    """Log a grading made with `version`, then write its report; a withheld report is logged and the old one kept."""
    path = work.paths.report(report.student)
    old = read_stored_report(path)
    entry = _entry(
        WITHHELD if report.withheld else GRADED,
        report.assignment,
        report.student,
        version=version,
        before=old.score if old else None,
        after=None if report.withheld else report.score,
        points={} if report.withheld else _points(report),
    )
    append(work.course, [entry])
    if not report.withheld:
        write_report(report, path)


def record_shown(work: Work, students: Sequence[str]) -> None:
    """Log that feedback was written for these students from their current reports."""
    reports = {student: read_stored_report(work.paths.report(student)) for student in students}
    new = [_entry(SHOWN, work.slug, who, after=r.score, points=_points(r)) for who, r in reports.items() if r]
    append(work.course, new)


def read_entries(work: Work) -> Iterator[Entry]:
    """Yield the assignment's entries, oldest first. Skips lines that a kill or a power cut left incomplete."""
    if not work.course.log.exists():
        return
    with work.course.log.open("rb") as lines:
        for line in lines:
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if entry.assignment == work.slug:
                yield entry


def find_withheld(work: Work) -> set[str]:
    """Students whose latest grading was withheld because a check is broken; their report, if any, is older."""
    latest = {entry.student: entry.event for entry in read_entries(work) if entry.event != SHOWN}
    return {student for student, event in latest.items() if event == WITHHELD}


def append(course: Course, new: Sequence[Entry]) -> None:
    """Append entries in one write; raises OSError and appends nothing if the disk is full."""
    if not new:
        return
    text = b"".join(msgspec.json.encode(entry) + b"\n" for entry in new)
    log = os.open(course.log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        fcntl.flock(log, fcntl.LOCK_EX)
        end = os.lseek(log, 0, os.SEEK_END)
        if end and os.pread(log, 1, end - 1) != b"\n":
            text = b"\n" + text
        if os.write(log, text) != len(text):
            os.ftruncate(log, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(course.log))
    finally:
        os.close(log)


def read_stored_report(path: Path) -> Report | None:
    """The report on disk; None if there is none or it cannot be read."""
    try:
        return decode_report(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _entry(event: str, slug: str, student: str, **facts: Any) -> Entry:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(when=when, who=_account(), event=event, assignment=slug, student=student, **facts)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        return f"uid {os.getuid()}"


def _points(report: Report) -> dict[str, float]:
    return {exercise.exercise: exercise.score for exercise in report.exercises}

"""Who graded what, when and with which version: the course's append-only log, one JSON object a line.

Each entry is one write to a file opened for appending, so a kill leaves a whole line or none, or at the end of a page
of the file a torn one, which the next entry ends and readers pass over. A grading is logged before its report is
written, so no report is without its line.
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
    """graded; withheld (our fault, no grade changed); or shown (feedback was written for the student)"""
    assignment: str
    student: str
    version: Version | None = None
    """what the grading was made with; None for `shown`"""
    before: float | None = None
    """automatic points of the report that was there; None if there was none"""
    after: float | None = None
    """automatic points now; None if withheld"""
    points: dict[str, float] = {}
    """`after` by exercise"""


def keep(work: Work, report: Report, version: Version) -> None:
    """Log a grading made with `version`, then write its report; a withheld one is only logged, and the old stays."""
    path = work.paths.report(report.student)
    old = stored_report(path)
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


def shown(work: Work, students: Sequence[str]) -> None:
    """Log that these students' feedback was written from the reports that are there now."""
    reports = {student: stored_report(work.paths.report(student)) for student in students}
    new = [_entry(SHOWN, work.slug, who, after=r.score, points=_points(r)) for who, r in reports.items() if r]
    append(work.course, new)


def entries(work: Work) -> Iterator[Entry]:
    """The assignment's entries, oldest first. A line that a kill or a power cut tore is passed over."""
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


def withheld(work: Work) -> set[str]:
    """Whose latest grading was withheld: a check of ours is broken, and what stands is older."""
    latest = {entry.student: entry.event for entry in entries(work) if entry.event != SHOWN}
    return {student for student, event in latest.items() if event == WITHHELD}


def append(course: Course, new: Sequence[Entry]) -> None:
    """Add entries in one write; OSError, and nothing added, if the disk is full."""
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


def stored_report(path: Path) -> Report | None:
    """The report on disk; None if there is none that can be read."""
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

"""Finds what a regrading changes for students, for review before `course feedback` shows it to them.

The changes are read from the log, so they are correct after a killed run and accumulate over several regradings. They
cover automatic points only: manual marks and extensions are in the gradebook, where nbgrader computes late penalties.
"""

from __future__ import annotations

from dataclasses import dataclass

from autograde.course import Work
from autograde.grading.digests import Version
from autograde.records.audit_log import GRADED, SHOWN, Entry, read_entries


@dataclass(frozen=True)
class Change:
    """A student whose points differ from those shown last, or from those that the same work got first."""

    student: str
    before: float
    after: float
    exercises: dict[str, tuple[float, float]]
    """the exercises that differ: points before and now"""
    because: tuple[str, ...]
    """what differs between the two gradings: submission, release, checks, policies, engine"""


@dataclass
class _History:
    """What the log says about one student."""

    first: Entry | None = None
    """the first grading of the latest graded submission"""
    shown: Entry | None = None
    shown_version: Version | None = None
    now: Entry | None = None

    def add(self, entry: Entry) -> None:
        if entry.event == SHOWN and self.now:
            self.shown, self.shown_version = entry, self.now.version
        elif entry.event == GRADED and entry.version:
            same = self.now and self.now.version and self.now.version.submission == entry.version.submission
            self.first = self.first if same else entry
            self.now = entry


def find_changes(work: Work) -> list[Change]:
    """What differs from the points shown last or, if none were shown, from the first grading; sorted by student."""
    histories: dict[str, _History] = {}
    for entry in read_entries(work):
        histories.setdefault(entry.student, _History()).add(entry)
    found = (_change(student, history) for student, history in sorted(histories.items()))
    return [change for change in found if change]


def exercises_text(change: Change) -> str:
    return ", ".join(f"{name} {before:g} → {after:g}" for name, (before, after) in change.exercises.items())


def _change(student: str, history: _History) -> Change | None:
    now, then = history.now, history.shown or history.first
    if now is None or then is None or then.points == now.points:
        return None
    version = history.shown_version if history.shown else then.version
    names = list(dict.fromkeys([*then.points, *now.points]))
    points = {name: (then.points.get(name, 0.0), now.points.get(name, 0.0)) for name in names}
    return Change(
        student=student,
        before=then.after or 0.0,
        after=now.after or 0.0,
        exercises={name: pair for name, pair in points.items() if pair[0] != pair[1]},
        because=_differing(version, now.version),
    )


def _differing(then: Version | None, now: Version | None) -> tuple[str, ...]:
    if then is None or now is None:
        return ()
    parts = ["submission", "checks", "policies", "engine"]
    if then.release and now.release:
        parts.insert(1, "release")
    return tuple(part for part in parts if getattr(then, part) != getattr(now, part))

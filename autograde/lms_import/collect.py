"""Imports a learning platform's archive into nbgrader's folders: submitted/<student>/<slug>/<slug>.ipynb (or .py).

Supported layouts: nbgrader's folders, and the archives that Canvas, Moodle and Gradescope make of all submissions.
Students are looked up in the gradebook (`nbgrader db student import`) by the platform's number, name or e-mail address.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograde.course import Work
from autograde.disk import replace_on_success, write_atomically
from autograde.lms_import.archive import Archive, Entry, EntryError
from autograde.lms_import.layouts import SUFFIXES, Claim, claims_in
from autograde.lms_import.roster import Roster, RosterError
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.submitted import refuse_links, refuse_name

MAX_METADATA = 32 << 20


@dataclass(frozen=True)
class HandedIn:
    """One student's file."""

    student: str
    suffix: str
    data: bytes
    timestamp: str
    """in the format of nbgrader's timestamp.txt; empty if the archive has no time"""


@dataclass
class Collected:
    """The result of importing an archive."""

    new: list[str] = field(default_factory=list)
    """students"""
    replaced: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """one sentence for each file that was not imported"""
    notes: list[str] = field(default_factory=list)


def collect(work: Work, path: Path) -> Collected:
    """Import all submissions in the zip at `path`. ArchiveError if the archive cannot be read."""
    done = Collected()
    for handed_in in handed_in_through(work, path, done):
        try:
            _place(work, handed_in, done)
        except SubmissionError as error:
            done.refused.append(f"{handed_in.student}: {error}")
    return done


def handed_in_through(work: Work, path: Path, done: Collected) -> Iterator[HandedIn]:
    """Yield each student's file, with one file in memory at a time; refused files are recorded in `done`."""
    limit = work.limits.notebook_bytes
    with Archive(path) as archive:
        done.refused += archive.refused
        claims, strays = claims_in(archive, work.slug, MAX_METADATA)
        done.refused += [f"{name!r} lies in no layout of nbgrader, Canvas, Moodle or Gradescope." for name in strays]
        for student, own in _by_student(claims, Roster.of(work.course), done):
            try:
                chosen = _the_notebook(own, work.slug)
                data = archive.read(chosen.entry, limit)
                timestamp = chosen.timestamp or _timestamp_file(archive, own)
            except EntryError as error:
                done.refused.append(f"{student}: {error}")
                continue
            if chosen.late and not timestamp:
                done.notes.append(f"{student}: late by the platform's word; write when into timestamp.txt")
            yield HandedIn(student, Path(chosen.file).suffix, data, timestamp)


def _by_student(claims: Iterable[Claim], roster: Roster, done: Collected) -> Iterator[tuple[str, list[Claim]]]:
    """Yield the files of each student. If two people map to one student id, both are refused."""
    files: dict[str, dict[str, list[Claim]]] = defaultdict(lambda: defaultdict(list))
    unknown: dict[str, str] = {}
    for claim in claims:
        try:
            files[roster.student(claim.person)][claim.person.key].append(claim)
        except RosterError as error:
            unknown[claim.person.key] = str(error)
    done.refused += unknown.values()
    for student, people in sorted(files.items()):
        if len(people) > 1:
            done.refused.append(f"{student}: {len(people)} people in the archive have this name; enter their numbers.")
        else:
            yield student, next(iter(people.values()))


def _the_notebook(own: list[Claim], slug: str) -> Claim:
    """Choose the file to grade: a notebook, else a script; the one named after the assignment, else the only one."""
    candidates = [claim for claim in own if Path(claim.file).suffix in SUFFIXES]
    named = [claim for claim in candidates if claim.stem == slug]
    for suffix in SUFFIXES:
        for some in (named, candidates):
            found = [claim for claim in some if Path(claim.file).suffix == suffix]
            if len(found) == 1:
                return found[0]
            if found:
                break
    names = ", ".join(sorted(repr(claim.file) for claim in candidates or own))[:300]
    what = f"several files might be {slug!r}" if candidates else f"no {slug}.ipynb and no {slug}.py"
    raise EntryError(f"{what}: {names}; put the right one into submitted/ by hand.")


def _timestamp_file(archive: Archive, own: list[Claim]) -> str:
    """Read timestamp.txt, in which nbgrader stores the time of submission; empty if there is none."""
    found: list[Entry] = [claim.entry for claim in own if claim.file == "timestamp.txt"]
    return archive.read(found[0], 100).decode("utf-8", "replace").strip() if found else ""


def _place(work: Work, handed_in: HandedIn, done: Collected) -> None:
    """Write the file atomically; it replaces the student's earlier submission."""
    refuse_name(handed_in.student)
    folder = work.paths.submitted(handed_in.student)
    refuse_links(folder, work.course.root / "submitted")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise SubmissionError(f"{folder} cannot be a folder: a file has that name, or its parent's; move it.") from None
    target = folder / f"{work.slug}{handed_in.suffix}"
    others = [folder / f"{work.slug}{suffix}" for suffix in SUFFIXES if suffix != handed_in.suffix]
    there = [path for path in (target, *others) if path.exists()]
    if there == [target] and target.read_bytes() == handed_in.data:
        done.unchanged.append(handed_in.student)
    else:
        with replace_on_success(target, handed_in.data, unfinished=folder / f".{work.slug}.unfinished"):
            (folder / "timestamp.txt").unlink(missing_ok=True)
        for other in others:
            other.unlink(missing_ok=True)
        (done.replaced if there else done.new).append(handed_in.student)
    if handed_in.timestamp:
        write_atomically(folder / "timestamp.txt", handed_in.timestamp)

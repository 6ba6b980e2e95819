"""Chooses the file to grade among what one person submitted, and says what is left out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from autograde.course import Work
from autograde.lms_import.archive import Archive, Entry, EntryError
from autograde.lms_import.facts import Claim, Content
from autograde.lms_import.files import COPIED, SUFFIXES, Name, fold_stem, is_submission_file, is_zip, parse_name
from autograde.lms_import.outcomes import Note, Outcome, Refusal, ToDo

MAX_ZIPS = 5
SHOWN_FILES = 10


class RefusedError(Exception):
    """The person's submission is not collected."""

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__(*outcomes)
        self.outcomes = outcomes


@dataclass(frozen=True)
class Chosen:
    """The file to grade."""

    suffix: str
    data: bytes
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A notebook or script among the submitted files."""

    file: str
    name: Name
    archive: Archive
    entry: Entry
    zip: str = ""
    """the submitted zip that contains it"""

    @property
    def path(self) -> str:
        return f"{self.zip}/{self.file}" if self.zip else self.file


@dataclass
class _OpenedZip:
    """The candidates in a submitted zip, and the names of entries that cannot be used."""

    candidates: list[_Candidate] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def choose_file(student: str, claims: Sequence[Claim], archive: Archive, work: Work) -> Chosen:
    """Choose and read the file. RefusedError if there is none, or several of equal right; EntryError if it is bad."""
    claims, outcomes = _last_submission(student, claims)
    files = [claim for claim in claims if _is_file(claim)]
    with ExitStack() as stack:
        direct = list(_list_candidates(files, archive))
        zips = [claim for claim in files if is_zip(claim.file) and not _is_hidden(claim.file)]
        opened = [] if direct else [_open_zip(claim, archive, stack) for claim in zips[:MAX_ZIPS]]
        candidates = direct or [candidate for each in opened for candidate in each.candidates]
        chosen = _pick(student, candidates, work.slug)
        if chosen is None:
            raise RefusedError(_describe_missing(student, claims, files), *outcomes)
        data = chosen.archive.read(chosen.entry, work.limits.notebook_bytes)
    outcomes += _describe(student, chosen, work)
    left_out = [candidate.path for candidate in candidates if candidate is not chosen]
    left_out += [claim.file for claim in zips[len(opened) :]] + [name for each in opened for name in each.defects]
    if left_out:
        outcomes.append(Outcome(Note.NOT_TAKEN, student, _few(left_out)))
    if any(claim.content in (Content.TEXT, Content.LINK) for claim in claims):
        outcomes.append(Outcome(ToDo.TEXT_NOT_COLLECTED, student))
    return Chosen(chosen.name.suffix, data, tuple(outcomes))


def list_other_files(claims: Iterable[Claim]) -> Iterator[str]:
    """Yield the suffix of each file that is no notebook, script or zip."""
    for claim in claims:
        if _is_file(claim) and not is_submission_file(claim.file) and not _is_hidden(claim.file):
            yield name_suffix(claim.file)


def name_suffix(file: str) -> str:
    return PurePosixPath(file).suffix.lower() or "no suffix"


def _last_submission(student: str, claims: Sequence[Claim]) -> tuple[list[Claim], list[Outcome]]:
    """Keep the last of several submissions, if the platform says which that is."""
    attempts = {claim.submission: claim.attempt for claim in claims}
    if len(attempts) == 1:
        return list(claims), []
    if not all(attempts.values()) or len(set(attempts.values())) < len(attempts):
        raise RefusedError(Outcome(Refusal.SEVERAL_SUBMISSIONS, student, tuple(sorted(attempts))))
    last = max(attempts, key=lambda submission: attempts[submission])
    earlier = Outcome(Note.EARLIER_ATTEMPTS, student, tuple(sorted(attempts.keys() - {last})))
    return [claim for claim in claims if claim.submission == last], [earlier]


def _is_file(claim: Claim) -> bool:
    return claim.content is Content.FILE and claim.entry is not None and not claim.entry.is_folder


def _is_hidden(file: str) -> bool:
    return any(part.startswith(".") for part in file.split("/"))


def _list_candidates(files: Iterable[Claim], archive: Archive) -> Iterator[_Candidate]:
    for claim in files:
        name = parse_name(claim.file)
        if name and claim.entry and not _is_hidden(claim.file):
            yield _Candidate(claim.file, name, archive, claim.entry)


def _open_zip(claim: Claim, archive: Archive, stack: ExitStack) -> _OpenedZip:
    """List the notebooks and scripts in a submitted zip; a zip inside it is not opened."""
    assert claim.entry
    inner = stack.enter_context(archive.open_inner(claim.entry))
    opened = _OpenedZip(defects=[f"{claim.file}/{defect.name}" for defect in inner.defects])
    for entry in inner.entries:
        name = parse_name(entry.name)
        if name and not entry.is_folder and not entry.is_hidden:
            opened.candidates.append(_Candidate(entry.name, name, inner, entry, zip=claim.file))
    return opened


def _pick(student: str, candidates: Sequence[_Candidate], slug: str) -> _Candidate | None:
    """A notebook, else a script: the one named after the assignment, else the only one; in the outermost folder.

    None if there is no candidate.
    """
    for suffix in SUFFIXES:
        some = [candidate for candidate in candidates if candidate.name.suffix == suffix]
        if not some:
            continue
        best = min(_rank(candidate, slug) for candidate in some)
        first = [candidate for candidate in some if _rank(candidate, slug) == best]
        if len(first) > 1:
            raise RefusedError(Outcome(Refusal.SEVERAL_NOTEBOOKS, student, _few(c.path for c in first)))
        return first[0]
    return None


def _rank(candidate: _Candidate, slug: str) -> tuple[int, int]:
    stem = candidate.name.stem
    if stem == slug:
        likeness = 0
    elif fold_stem(stem) != fold_stem(slug):
        likeness = 3
    else:
        likeness = 2 if COPIED.search(stem) else 1
    return likeness, candidate.file.count("/")


def _describe(student: str, chosen: _Candidate, work: Work) -> list[Outcome]:
    """What is unusual about the chosen file."""
    outcomes = []
    if chosen.zip:
        outcomes.append(Outcome(Note.FROM_ZIP, student, (chosen.file, chosen.zip)))
    if not chosen.name.is_usual or COPIED.search(chosen.name.stem):
        outcomes.append(Outcome(Note.NAME_FIXED, student, (chosen.file,), detail=work.slug + chosen.name.suffix))
    if other := find_other_assignment(chosen.name.stem, work):
        outcomes.append(Outcome(Note.OTHER_ASSIGNMENT, student, (chosen.file, other)))
    return outcomes


def find_other_assignment(stem: str, work: Work) -> str:
    """The other assignment of the course that a file is named like; empty if there is none."""
    if _names(stem, work.slug):
        return ""
    return next((slug for slug in work.course.slugs if slug != work.slug and _names(stem, slug)), "")


def _names(stem: str, slug: str) -> bool:
    """Whether a file is named by the slug, or has its words among its own."""
    words, wanted = _words(stem), _words(slug)
    spans = (words[start : start + len(wanted)] for start in range(len(words)))
    return fold_stem(stem) == fold_stem(slug) or wanted in spans


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", name.casefold()) if word]


def _describe_missing(student: str, claims: Sequence[Claim], files: Sequence[Claim]) -> Outcome:
    """The reason why there is nothing to grade."""
    if files:
        return Outcome(Refusal.NO_NOTEBOOK, student, _few(claim.file for claim in files))
    contents = {claim.content for claim in claims}
    if Content.LINK in contents:
        return Outcome(Refusal.LINK, student)
    if contents & {Content.TEXT, Content.SUMMARY}:
        return Outcome(Refusal.TEXT, student)
    return Outcome(Refusal.NO_FILES, student)


def _few(files: Iterable[str]) -> tuple[str, ...]:
    """The first names in alphabetical order; students may submit thousands."""
    names = sorted(files)
    return (*names[:SHOWN_FILES], *(("…",) if len(names) > SHOWN_FILES else ()))


def describe_defect(student: str, error: EntryError) -> Outcome:
    return Outcome(Refusal.ENTRY, student, (error.name,), entry=error)

"""Imports a learning platform's archive into nbgrader's folders: submitted/<student>/<slug>/<slug>.ipynb (or .py).

The layout of the archive says who submitted which file (`layouts`, `platforms`), the roster which student that is
(`roster`, `matching`), and `choice` which of the files is graded. Everything that happened is an `Outcome`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograde.course import Work
from autograde.lms_import.archive import Archive, ArchiveError, EntryError
from autograde.lms_import.choice import RefusedError, choose_file, describe_defect, list_other_files, name_suffix
from autograde.lms_import.facts import Claim, Listing, Member, Person, Platform, Reading
from autograde.lms_import.files import is_submission_file
from autograde.lms_import.layouts import LAYOUTS, find_layout, open_listing
from autograde.lms_import.matching import Assigned, assign_students, check_table, describe_match
from autograde.lms_import.options import NO_OPTIONS, Options
from autograde.lms_import.outcomes import Note, Outcome, Placed, Refusal, ToDo
from autograde.lms_import.placing import PlaceError, Submission, place
from autograde.lms_import.renaming import rename_earlier
from autograde.lms_import.roster import Roster, invent_id, read_roster


@dataclass
class Collection:
    """The result of collecting an archive."""

    outcomes: list[Outcome] = field(default_factory=list)

    def students(self, placed: Placed) -> list[str]:
        return [outcome.who for outcome in self.outcomes if outcome.kind is placed]

    @property
    def refused(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if isinstance(outcome.kind, Refusal)]

    @property
    def needs_action(self) -> bool:
        return any(outcome.needs_action for outcome in self.outcomes)


def collect(work: Work, path: Path, options: Options = NO_OPTIONS) -> Collection:
    """Import all submissions in the zip at `path`. ArchiveError if the archive cannot be read."""
    done = Collection()
    for submission in read_submissions(work, path, options, done):
        done.outcomes += rename_earlier(work.course, submission.earlier_id, submission.student)
        try:
            done.outcomes.append(place(work, submission))
        except PlaceError as error:
            done.outcomes.append(error.outcome)
    return done


def read_submissions(work: Work, path: Path, options: Options, done: Collection) -> Iterator[Submission]:
    """Yield each student's file, with one in memory at a time; everything else is recorded in `done`."""
    roster = read_roster(work.course)
    check_table(options, roster)
    with Archive(path) as archive:
        done.outcomes += [describe_defect("", defect) for defect in archive.defects]
        listing = open_listing(
            archive,
            work.slug,
            work.course.timezone,
            known_ids=roster.ids,
            known_numbers=roster.known_numbers,
            platform=options.platform,
        )
        reading, platform = _read_layout(listing, path, options)
        done.outcomes += _describe_reading(listing, reading, platform, work)
        claims = _group_by_person(reading.claims)
        matches, outcomes = assign_students(claims, roster, options)
        done.outcomes += outcomes
        taken = {*roster.ids, *(match.student for match in matches)}
        for match in matches:
            done.outcomes += describe_match(match, roster)
            submission, described = _read_submission(match, claims[match.person], archive, work)
            done.outcomes += described
            if submission:
                submission = _add_time(submission, match, claims[match.person], roster, options)
                done.outcomes += _describe_lateness(submission, claims[match.person], work)
                earlier = invent_id(match.person)
                is_other = earlier in taken or bool(match.other_number)
                yield replace(submission, earlier_id=match.student if is_other else earlier)
        done.outcomes += _describe_others(claims, reading)
        done.outcomes += _describe_unused_times(matches, roster, options)
        done.outcomes.append(_describe_missing(matches, roster, done))


def _read_layout(listing: Listing, path: Path, options: Options) -> tuple[Reading, Platform | None]:
    """Read the names as the platform wrote them; nothing is read if no platform did."""
    try:
        layout = LAYOUTS[options.platform] if options.platform else find_layout(listing)
        return (layout.read(listing), layout.platform) if layout else (Reading(), None)
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from None


def _group_by_person(claims: Iterable[Claim]) -> dict[Person, list[Claim]]:
    grouped: dict[Person, list[Claim]] = defaultdict(list)
    for claim in claims:
        grouped[claim.person].append(claim)
    return grouped


def _read_submission(
    match: Assigned, claims: list[Claim], archive: Archive, work: Work
) -> tuple[Submission | None, tuple[Outcome, ...]]:
    """Return the student's file, or None with the reason."""
    student = match.student
    try:
        chosen = choose_file(student, claims, archive, work)
    except RefusedError as error:
        return None, error.outcomes
    except EntryError as error:
        return None, (describe_defect(student, error),)
    return Submission(student, chosen.suffix, chosen.data, is_doubtful=bool(match.other_number)), chosen.outcomes


def _add_time(
    submission: Submission, match: Assigned, claims: list[Claim], roster: Roster, options: Options
) -> Submission:
    """Add the time in the archive, else the one that the instructor gives; of several attempts the last."""
    number = roster.numbers.get(match.student, "")
    time = max(claim.timestamp for claim in claims) or options.times.look_up(match.student, match.person, number)
    return replace(submission, timestamp=time)


def _describe_lateness(submission: Submission, claims: list[Claim], work: Work) -> Iterator[Outcome]:
    if submission.timestamp:
        return
    if any(claim.late for claim in claims):
        yield Outcome(ToDo.LATE_WITHOUT_TIME if work.due else Note.LATE, submission.student)
    if work.due and (unread := {claim.unread_time for claim in claims if claim.unread_time}):
        yield Outcome(ToDo.UNREAD_TIME, submission.student, tuple(sorted(unread)))


def _describe_reading(listing: Listing, reading: Reading, platform: Platform | None, work: Work) -> Iterator[Outcome]:
    """What there is to say about the archive as a whole."""
    files = tuple(member.entry.name for member in listing.members if _is_submission(member))
    if platform is None and files:
        yield Outcome(Refusal.UNKNOWN_LAYOUT, names=files)
    elif not reading.claims and not files:
        yield Outcome(Refusal.NO_SUBMISSIONS)
    elif listing.enclosing:
        yield Outcome(Note.ENCLOSING_FOLDER, names=(listing.enclosing,))
    yield from _describe_strays(reading, platform, work)
    yield from (Outcome(ToDo.BAD_TIMESTAMP, person.student) for person in reading.bad_times)
    yield from (Outcome(Refusal.TWO_USERS, names=(member.entry.name,)) for member in reading.unclear)


def _describe_strays(reading: Reading, platform: Platform | None, work: Work) -> Iterator[Outcome]:
    """Each file that the layout does not explain. nbgrader's folders have those of all assignments side by side."""
    others, folders = set(), set()
    for member in reading.strays:
        folder = "".join(member.name.split("/")[1:2])
        if platform is Platform.NBGRADER and folder != work.slug and folder in work.course.slugs:
            others.add(folder)
        elif _is_submission(member):
            yield Outcome(Refusal.STRAY, names=(member.entry.name,))
        elif member.top.endswith("/") and not member.entry.is_folder and not member.entry.is_hidden:
            folders.add(member.top)
    yield from (Outcome(Refusal.STRAY, names=(folder,)) for folder in sorted(folders))
    if others:
        yield Outcome(Note.OTHER_ASSIGNMENTS_FILES, names=tuple(sorted(others)))


def _is_submission(member: Member) -> bool:
    return is_submission_file(member.name) and not member.entry.is_folder and not member.entry.is_hidden


def _describe_others(claims: dict[Person, list[Claim]], reading: Reading) -> Iterator[Outcome]:
    """How many files are neither notebooks nor scripts."""
    suffixes = Counter(suffix for own in claims.values() for suffix in list_other_files(own))
    loose = (member for member in reading.strays if not member.top.endswith("/") and not _is_submission(member))
    suffixes.update(name_suffix(member.name) for member in loose if not member.entry.is_hidden)
    if suffixes:
        counts = tuple(f"{count} × {suffix}" for suffix, count in sorted(suffixes.items()))
        yield Outcome(Note.OTHER_FILES, names=counts)


def _describe_unused_times(matches: list[Assigned], roster: Roster, options: Options) -> Iterator[Outcome]:
    """Describe the rows of a table of times that fit no submission: a name in them may be misspelt."""
    people = [match.person for match in matches]
    known = {name for person in people for name in (person.number, person.key, person.email)}
    known |= {match.student for match in matches} | roster.ids | roster.known_numbers
    if unused := options.times.by_student.keys() - known:
        yield Outcome(Note.UNUSED_TIMES, names=tuple(sorted(unused)))


def _describe_missing(matches: list[Assigned], roster: Roster, done: Collection) -> Outcome:
    """Who is in the roster and not in the archive."""
    if not roster.exists:
        return Outcome(Note.NO_ROSTER)
    disputed = {outcome.who for outcome in done.outcomes if outcome.kind is Refusal.SEVERAL_PEOPLE}
    missing = roster.ids - {match.student for match in matches} - disputed
    return Outcome(Note.NOT_IN_ARCHIVE, names=tuple(sorted(missing)))

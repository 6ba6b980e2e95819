"""Sentences about what collecting an archive did."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from autograde.cli.console import escape_unprintable, say, warn
from autograde.lms_import.archive import MAX_INNER_ENTRIES, Defect, EntryError
from autograde.lms_import.collect import Collection
from autograde.lms_import.outcomes import Kind, Note, Outcome, Placed, Refusal, ToDo

SHOWN_FILES = 20
LAYOUTS = "Canvas, Moodle, Gradescope, Blackboard, Brightspace or nbgrader"


def quoted(name: str) -> str:
    return f"'{escape_unprintable(name)}'"


def listed(names: Iterable[str]) -> str:
    return ", ".join(name if name == "…" else quoted(name) for name in names)


def describe_outcome(outcome: Outcome) -> str:
    """One line about an outcome, which begins with the student or person if it is about one."""
    text = TEXTS[outcome.kind](outcome)
    return f"{escape_unprintable(outcome.who)}: {text}" if outcome.who else text


def describe_defect(error: EntryError) -> str:
    text = DEFECTS[error.defect].format(limit=error.limit_bytes / 1e6, files=MAX_INNER_ENTRIES)
    return f"{quoted(error.name)} {text}"


DEFECTS = {
    Defect.INVISIBLE_CHARACTERS: "has invisible characters in its name.",
    Defect.LINK: "is a link; ask for the file itself.",
    Defect.NOT_A_FILE: "is not a plain file; ask for the file itself.",
    Defect.OUTSIDE: "would be written outside its folder.",
    Defect.LONG_NAME: "has too long a name.",
    Defect.ENCODING: "has a name in an unknown encoding; rename it.",
    Defect.REPEATED: "is in the archive several times; none of them is collected.",
    Defect.ENCRYPTED: "is encrypted; ask for it without a password.",
    Defect.COMPRESSION: "is compressed in a way that no learning platform uses.",
    Defect.DAMAGED: "is damaged.",
    Defect.TOO_LARGE: "is refused: it unpacks to more than {limit:.0f} MB.",
    Defect.TOTAL_TOO_LARGE: "is refused: all files together unpack to more than {limit:.0f} MB.",
    Defect.INNER_ZIP: "is not a zip, or contains more than {files} files.",
}
BY_HAND = "put the right file into submitted/ by hand"

TEXTS: dict[Kind, Callable[[Outcome], str]] = {
    Placed.NEW: lambda o: "collected",
    Placed.REPLACED: lambda o: "replaced",
    Placed.UNCHANGED: lambda o: "unchanged",
    Note.NO_ROSTER: lambda o: (
        "no roster: ids are made from the platform's numbers and names; import it with `nbgrader db student import`"
    ),
    Note.NOT_IN_ARCHIVE: lambda o: (
        f"in the roster, but not in this archive: {', '.join(map(escape_unprintable, o.names)) or 'none'}"
    ),
    Note.ENCLOSING_FOLDER: lambda o: f"note: everything is in the folder {listed(o.names)}, which was skipped",
    Note.UNDERSCORES: lambda o: f"note: the name contains underscores; read as {listed(o.names)}",
    Note.NAME_FIXED: lambda o: f"note: {listed(o.names)} was taken as {o.detail}",
    Note.FROM_ZIP: lambda o: f"note: {quoted(o.names[0])} was taken out of {quoted(o.names[1])}",
    Note.NOT_TAKEN: lambda o: f"note: not taken, look whether it is the one to grade: {listed(o.names)}",
    Note.OTHER_ASSIGNMENT: lambda o: f"note: {quoted(o.names[0])} is named like the assignment {o.names[1]}",
    Note.OTHER_ASSIGNMENTS_FILES: lambda o: f"note: files of other assignments were left out: {', '.join(o.names)}",
    Note.OTHER_FILES: lambda o: f"note: files that are not notebooks were left out: {', '.join(o.names)}",
    Note.EARLIER_ATTEMPTS: lambda o: f"note: only the last attempt counts; earlier ones: {listed(o.names)}",
    Note.MATCHED_BY_NAME: lambda o: (
        f"note: found by name, because the roster does not have the number: {listed(o.names)}"
    ),
    Note.OTHER_NAME: lambda o: (
        f"note: called {listed(o.names)} on the platform and {quoted(o.detail)} in the roster; "
        "if that is a group, its other members have no submission"
    ),
    Note.RENAMED: lambda o: (
        f"note: was collected as {quoted(o.names[0])} before; moved in {', '.join(o.names[1:])}; grade again"
    ),
    Note.LATE: lambda o: "note: late, says the platform; the assignment has no due date",
    Note.ADDED: lambda o: f"note: not in the roster, accepted: {listed(o.names)}",
    Note.UNUSED_TIMES: lambda o: f"note: times of people who are not in the archive or the roster: {listed(o.names)}",
    ToDo.LATE_WITHOUT_TIME: lambda o: (
        "late, says the platform, but not how late; give the time with --times, or write it into timestamp.txt"
    ),
    ToDo.UNREAD_TIME: lambda o: (
        f"the time {listed(o.names)} cannot be read, so the work counts as on time; give the time with --times"
    ),
    ToDo.TEXT_NOT_COLLECTED: lambda o: (
        "also submitted a text or link, which was not collected; read it on the platform"
    ),
    ToDo.NUMBER_DIFFERS: lambda o: (
        f"found by name as {listed(o.names[:1])}, but the roster has the number {escape_unprintable(o.names[1])}; "
        "correct the roster's lms_user_id, or remove the submission if it belongs to another student"
    ),
    ToDo.BAD_TIMESTAMP: lambda o: "timestamp.txt is not a time and was left out; the work counts as on time",
    ToDo.COLLECTED_TWICE: lambda o: (
        f"was collected as {quoted(o.names[0])} before, and has submissions or grades under both ids in "
        f"{', '.join(o.names[1:])}; remove one of them"
    ),
    Refusal.NO_SUBMISSIONS: lambda o: "the archive contains no submission",
    Refusal.UNKNOWN_LAYOUT: lambda o: (
        f"the archive has no layout of {LAYOUTS}, so nothing says who submitted these files: {_some(o.names)}. "
        "Google Classroom and Google Drive give files the names that students chose, and are not supported: "
        "put each file into a folder named by the student's id, and zip these folders"
    ),
    Refusal.ENTRY: lambda o: describe_defect(o.entry) if o.entry else "",
    Refusal.STRAY: lambda o: f"{listed(o.names)} does not fit the layout of the archive, so nothing says whose it is",
    Refusal.TWO_USERS: lambda o: (
        f"{listed(o.names)} contains the numbers of two students where the platform writes one; {BY_HAND}"
    ),
    Refusal.ANONYMOUS: lambda o: (
        "anonymous grading: the archive does not say who this is; give a table of keys and students with --keys, "
        "or accept the keys as students with --accept-unknown"
    ),
    Refusal.UNKNOWN_PERSON: lambda o: (
        f"not in the roster; the most similar name is {_name_student(o)}. "
        "Correct the roster, give a table with --keys, or accept unknown people with --accept-unknown"
    ),
    Refusal.SEVERAL_STUDENTS: lambda o: f"fits {len(o.names)} students of the roster: {listed(o.names)}; use --keys",
    Refusal.SEVERAL_PEOPLE: lambda o: (
        f"{len(o.names)} people in the archive fit this student: {listed(o.names)}; use --keys, or enter their "
        "numbers in the roster"
    ),
    Refusal.BETTER_MATCH: lambda o: (
        f"fits {quoted(o.names[0])} by name only, and {listed(o.names[1:])} fits better; use --keys"
    ),
    Refusal.UNUSABLE_ID: lambda o: f"{listed(o.names)}: no student id; use letters, digits and . _ - @, at most 64",
    Refusal.ID_TAKEN: lambda o: f"not in the roster, and {listed(o.names)} is the id of a student in it; use --keys",
    Refusal.SAME_BUT_CASE: lambda o: f"ids that differ only in upper and lower case: {listed(o.names)}; use --keys",
    Refusal.LINK: lambda o: "submitted a link and no notebook",
    Refusal.TEXT: lambda o: "submitted text or a recording on the platform's page and no notebook",
    Refusal.NO_FILES: lambda o: "the platform lists a submission, but the archive has no file of it",
    Refusal.NO_NOTEBOOK: lambda o: f"submitted no notebook and no script: {listed(o.names)}",
    Refusal.SEVERAL_NOTEBOOKS: lambda o: f"several files might be the one to grade: {listed(o.names)}; {BY_HAND}",
    Refusal.SEVERAL_SUBMISSIONS: lambda o: (
        f"several submissions, and nothing says which counts: {listed(o.names)}; {BY_HAND}"
    ),
    Refusal.NUMBER_DIFFERS: lambda o: "the earlier submission was kept, because it may be of another person",
    Refusal.FOLDER: lambda o: escape_unprintable(o.detail, 500),
}


def _name_student(outcome: Outcome) -> str:
    """The roster's name of a student, and their id."""
    (student,) = outcome.names
    return f"{quoted(outcome.detail or student)} ({escape_unprintable(student)})"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return listed(names[:SHOWN_FILES]) + more


def say_collection(slug: str, done: Collection) -> None:
    """Print what happened: notes and what needs attention to standard error, a summary to standard output."""
    last = [outcome for outcome in done.outcomes if outcome.kind in (Note.NOT_IN_ARCHIVE, Note.NO_ROSTER)]
    for outcome in done.outcomes:
        if not isinstance(outcome.kind, Placed) and outcome not in last:
            warn(describe_outcome(outcome))
    counts = [f"{len(done.students(placed))} {placed.name.lower()}" for placed in Placed]
    say(f"{slug}: {', '.join(counts)}, {len(done.refused)} refused")
    for placed in Placed:
        if students := done.students(placed):
            say(f"{placed.name.lower()}: {', '.join(students)}")
    for outcome in last:
        say(describe_outcome(outcome))

"""Writes a student's file into submitted/, where it replaces the student's earlier submission atomically."""

from __future__ import annotations

from dataclasses import dataclass

from autograde.course import Work
from autograde.disk import replace_on_success, write_atomically
from autograde.lms_import.files import SUFFIXES
from autograde.lms_import.outcomes import Outcome, Placed, Refusal
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.submitted import refuse_links, refuse_name


@dataclass(frozen=True)
class Submission:
    """One student's file."""

    student: str
    suffix: str
    data: bytes
    timestamp: str = ""
    """in the format of nbgrader's timestamp.txt; empty if nothing gives a time"""
    earlier_id: str = ""
    """the id under which the student was collected if the roster did not have them; it may be their own"""
    is_doubtful: bool = False
    """whether the roster has another number for the student, so that an earlier submission must not be replaced"""


class PlaceError(Exception):
    """The submission cannot be written."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


def place(work: Work, submission: Submission) -> Outcome:
    """Write the file and its timestamp.txt. PlaceError if links, or a file with a folder's name, are in the way."""
    student, folder = submission.student, work.paths.submitted(submission.student)
    try:
        refuse_name(student)
        refuse_links(folder, work.course.root / "submitted")
    except SubmissionError as error:
        raise PlaceError(Outcome(Refusal.FOLDER, student, detail=str(error))) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        why = f"{folder} cannot be a folder: a file has that name, or its parent's; move it."
        raise PlaceError(Outcome(Refusal.FOLDER, student, detail=why)) from None
    placed = _write(work, submission)
    if submission.timestamp:
        write_atomically(folder / "timestamp.txt", submission.timestamp)
    return Outcome(placed, student)


def _write(work: Work, submission: Submission) -> Placed:
    folder = work.paths.submitted(submission.student)
    target = folder / f"{work.slug}{submission.suffix}"
    others = [folder / f"{work.slug}{suffix}" for suffix in SUFFIXES if suffix != submission.suffix]
    existing = [path for path in (target, *others) if path.exists()]
    if existing == [target] and target.read_bytes() == submission.data:
        return Placed.UNCHANGED
    if existing and submission.is_doubtful:
        raise PlaceError(Outcome(Refusal.NUMBER_DIFFERS, submission.student))
    with replace_on_success(target, submission.data, unfinished=folder / f".{work.slug}.unfinished"):
        (folder / "timestamp.txt").unlink(missing_ok=True)
    for other in others:
        other.unlink(missing_ok=True)
    return Placed.REPLACED if existing else Placed.NEW

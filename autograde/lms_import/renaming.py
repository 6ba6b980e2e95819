"""Renames a student who was collected under an id of the platform before the roster had them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from autograde.course import Course, Work
from autograde.lms_import.outcomes import Note, Outcome, ToDo
from autograde.lms_import.roster import is_safe_id
from autograde.records.student_ids import reassign_submissions


def rename_earlier(course: Course, earlier: str, student: str) -> Iterator[Outcome]:
    """Move the work of `earlier`, which is no student of the roster, to `student`, in all assignments.

    Grades and manual marks move too; the reports are made again by the next grading. An assignment that `student` has
    submitted as well is left alone and reported.
    """
    if earlier == student or not is_safe_id(earlier):
        return
    works = [course.open(slug) for slug in course.slugs]
    works = [work for work in works if _is_real_folder(work.paths.submitted(earlier))]
    twice = [work.slug for work in works if work.paths.submitted(student).exists()]
    moving = [work for work in works if work.slug not in twice]
    # The gradebook first: if the command is killed in between, the folders are still there and it happens again.
    kept = reassign_submissions(course, [work.slug for work in moving], earlier, student)
    moved = [work for work in moving if work.slug not in kept]
    for work in moved:
        _move_files(work, earlier, student)
    for top in ("submitted", "autograded", "feedback"):
        _remove_empty(course.root / top / earlier)
    if moved:
        yield Outcome(Note.RENAMED, student, (earlier, *(work.slug for work in moved)))
    if twice or kept:
        yield Outcome(ToDo.COLLECTED_TWICE, student, (earlier, *twice, *kept))


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not path.parent.is_symlink()


def _move_files(work: Work, earlier: str, student: str) -> None:
    """Move the folders, the submission last; what is derived from a report with the old id is removed."""
    paths = work.paths
    paths.report(earlier).unlink(missing_ok=True)
    paths.recorded(earlier).unlink(missing_ok=True)
    feedback = paths.feedback
    for old, new in (
        (feedback(earlier).parent, feedback(student).parent),
        (paths.autograded(earlier), paths.autograded(student)),
        (paths.submitted(earlier), paths.submitted(student)),
    ):
        if _is_real_folder(old) and not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(old, new)


def _remove_empty(folder: Path) -> None:
    if _is_real_folder(folder) and not any(folder.iterdir()):
        folder.rmdir()

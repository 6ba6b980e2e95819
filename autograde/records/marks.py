"""Keeps a marked answer marked when nothing was changed in it: nbgrader asks for every mark again after regrading.

What was marked is on disk while nbgrader records, so that a run that is killed forgets no mark: the next one reads it.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import nbformat
from nbgrader.api import Grade, Gradebook, MissingEntry

from autograde.course import Course
from autograde.disk import write_whole

Marked = dict[tuple[str, str], str]
"""(student, name of the answer cell) -> the text that was marked"""


@contextmanager
def marks_kept(course: Course, slug: str, students: Iterable[str]) -> Iterator[None]:
    """Whatever is recorded inside, an answer that was marked and has not changed stays marked.

    One run at a time records an assignment: another that was started in the same folder waits for it here.
    """
    journal = course.stage.parent / f"marked-{slug}.json"
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = _left_by_a_killed_run(journal) | marked_answers(course, slug, students)
        if before:
            write_whole(journal, msgspec.json.encode([[*key, text] for key, text in before.items()]))
        yield
        keep_marked(course, slug, before)
        journal.unlink(missing_ok=True)


def _left_by_a_killed_run(journal: Path) -> Marked:
    if not journal.exists():
        return {}
    rows = msgspec.json.decode(journal.read_bytes(), type=list[tuple[str, str, str]])
    return {(student, name): text for student, name, text in rows}


def marked_answers(course: Course, slug: str, students: Iterable[str]) -> Marked:
    """The answers that a person has marked and that nobody needs to look at again."""
    found: Marked = {}
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for student in students:
            names = [grade.name for grade in _grades(gradebook, slug, student) if _is_marked(grade)]
            texts = _texts(course, slug, student) if names else {}
            found |= {(student, name): texts[name] for name in names if name in texts}
    return found


def keep_marked(course: Course, slug: str, before: Marked) -> None:
    """Say of every answer whose text is what it was `before` that it needs no other look."""
    if not before:
        return
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for student in {student for student, _ in before}:
            texts = _texts(course, slug, student)
            for grade in _grades(gradebook, slug, student):
                same = grade.name in texts and texts[grade.name] == before.get((student, grade.name))
                if same and grade.manual_score is not None:
                    grade.needs_manual_grade = False
        gradebook.db.commit()


def _is_marked(grade: Grade) -> bool:
    return grade.manual_score is not None and not grade.needs_manual_grade


def _grades(gradebook: Gradebook, slug: str, student: str) -> list[Grade]:
    try:
        return list(gradebook.find_submission_notebook(slug, slug, student).grades)
    except MissingEntry:
        return []


def _texts(course: Course, slug: str, student: str) -> dict[str, str]:
    """grade_id -> text, from the student's autograded notebook; empty if there is none."""
    path = course.paths(slug).autograded(student) / f"{slug}.ipynb"
    if not path.exists():
        return {}
    cells = nbformat.read(path, as_version=4).cells
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in cells if "nbgrader" in cell.metadata}

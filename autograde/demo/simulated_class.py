"""Writes the submissions of a simulated class: right, wrong, unfinished, broken, late and damaged ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.course import Work
from autograde.notebooks.release import assemble, draft, read_program
from autograde.notebooks.repair import read_nbgrader_metadata

HALF_DONE = "half-done"
"""the student who submits again after the feedback"""
ON_TIME_DAYS = -1.0
LOOP = "\n\nwhile True:\n    pass\n"
CRASH = "\n\nimport ctypes\nctypes.string_at(0)\n"


def submit_class(work: Work, wrong: int) -> None:
    """Write submitted/<student>/<slug>/ for one student per kind of submission, with at most `wrong` wrong programs."""
    untouched = nbformat.read(draft(work), as_version=4)
    solution = assemble(work, {})
    for student, program in choose_programs(work, wrong).items():
        submit(work, student, assemble(work, read_program(program)[1]))
    submit(work, "untouched", untouched)
    submit(work, HALF_DONE, assemble(work, keep_later_half(read_answers(untouched))))
    for student, replacements in make_broken_answers(read_answers(solution)):
        submit(work, student, assemble(work, replacements))
    submit(work, "late", solution, days_late=2)
    submit(work, "damaged-metadata", forge_metadata(solution))
    work.paths.submitted("missing-notebook").mkdir(parents=True)


def submit(work: Work, student: str, notebook: NotebookNode, days_late: float = ON_TIME_DAYS) -> None:
    """Write one submission, and its timestamp if the assignment has a due date."""
    folder = work.paths.submitted(student)
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{work.slug}.ipynb")
    if work.due is not None:
        time = work.due + timedelta(days=days_late)
        (folder / "timestamp.txt").write_text(time.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))


def choose_programs(work: Work, wrong: int) -> dict[str, Path]:
    """Return student -> program: all right programs of the assignment and at most `wrong` of its wrong ones."""
    right_programs, wrong_programs = (sorted(folder.glob("*.py")) for folder in (work.paths.right, work.paths.wrong))
    chosen = [*right_programs, *choose_evenly(wrong_programs, wrong)]
    return {f"{path.parent.name}-{path.stem.replace('_', '-')}": path for path in chosen}


def choose_evenly(items: list[Path], most: int) -> list[Path]:
    """Return at most `most` items, evenly spaced over the list."""
    return [items[index * len(items) // most] for index in range(most)] if most < len(items) else items


def read_answers(notebook: NotebookNode) -> dict[str, str]:
    """Return grade_id -> source of every code cell that a student writes."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id: cell.source for cell in code if read_nbgrader_metadata(cell).get("solution")}


def keep_later_half(answers: dict[str, str]) -> dict[str, str]:
    """Return the second half of the answers; with an odd number, including the middle one."""
    names = list(answers)
    return {name: answers[name] for name in names[len(names) // 2 :]}


def make_broken_answers(answers: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (student, replacements) for each way in which the last code answer can fail to run."""
    for name, answer in list(answers.items())[-1:]:
        yield "syntax-error", {name: "def broken(:\n"}
        yield "endless-loop", {name: answer + LOOP}
        yield "crash", {name: answer + CRASH}


def forge_metadata(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with forged nbgrader metadata in every cell."""
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        cell.metadata = NotebookNode(nbgrader={"grade": "yes", "points": 1000})
    return changed

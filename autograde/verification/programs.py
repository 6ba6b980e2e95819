"""The programs that `course verify` grades, and how each differs from the instructor's solution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import nbformat

from autograde.course import CourseError, Work
from autograde.notebooks.extract import Submission, submission_from_notebook
from autograde.notebooks.release import assemble, read_points, read_program
from autograde.notebooks.repair import read_nbgrader_metadata


class Kind(Enum):
    """The kind of a program, which decides what is expected of it."""

    SOLUTION = "solution"
    WITHOUT_EXPERIMENTS = "without experiments"
    """the solution, without the cells after its last answer"""
    RIGHT = "right"
    WRONG = "wrong"
    DECOY = "decoy"
    """the solution with a trivial answer instead of each of its own"""
    OTHER_KIND = "other kind"
    """the solution with values of another kind instead of its answers"""
    MISCONCEPTION = "misconception"
    """the solution with the answers of a misconception for which no wrong program is written"""
    UNTOUCHED = "untouched"
    """the notebook as students get it"""


@dataclass(frozen=True)
class Program:
    """One program to grade."""

    kind: Kind
    name: str = ""
    """the name of its file, of the decoy, or of the misconception"""
    seed: int | None = None
    """None for the course's own seed"""

    @property
    def label(self) -> str:
        """A unique, readable label: `wrong/adds`, `seed 3/solution`."""
        parts = ("" if self.seed is None else f"seed {self.seed}", self.kind.value, self.name)
        return "/".join(part for part in parts if part)


SOLUTION = Program(Kind.SOLUTION)


def build_submission(work: Work, program: Program, drafted: Path) -> Submission:
    """The solution's notebook with the program's answer cells; raises CourseError if its file is malformed."""
    path = locate_program(work, program)
    cells = read_program(path)[1]
    try:
        notebook = assemble(work, cells)
    except CourseError as error:
        raise CourseError(f"{path}: {error}") from None
    return submission_from_notebook(notebook, drafted, program.label, work.slug)


def build_untouched_submission(work: Work, drafted: Path) -> Submission:
    """The notebook as students get it."""
    notebook = nbformat.read(drafted, as_version=4)
    return cut_experiments(submission_from_notebook(notebook, drafted, Program(Kind.UNTOUCHED).label, work.slug))


def list_programs(work: Work, kind: Kind) -> Iterator[Program]:
    """The right or the wrong programs that have a file."""
    for path in sorted((work.paths.hidden_tests / kind.value).glob("*.py")):
        yield Program(kind, path.stem)


def locate_program(work: Work, program: Program) -> Path:
    """The file of a right or wrong program."""
    return work.paths.hidden_tests / program.kind.value / f"{program.name}.py"


def find_replaced_exercises(work: Work, program: Program) -> frozenset[str]:
    """The exercises whose answer cells a program replaces."""
    return frozenset(read_program(locate_program(work, program))[1]) & read_points(work).keys()


def cut_experiments(submission: Submission, *, keep_checks: bool = False) -> Submission:
    """The submission without the experiments at its end, which take time and which no check uses.

    It ends with the last answer, or if `keep_checks`, with the public checks below that.
    """
    marks = ("solution", "grade") if keep_checks else ("solution",)
    kept = {cell.id for cell in submission.notebook.cells if any(map(read_nbgrader_metadata(cell).get, marks))}
    last = max((index for index, (cell, _) in enumerate(submission.cells) if cell in kept), default=-1)
    return replace(submission, cells=submission.cells[: last + 1])

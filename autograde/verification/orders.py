"""Who is graded to verify an assignment, and under which options: its programs, the stubs and the decoys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from autograde.course import Course, CourseError
from autograde.grading.options import Options
from autograde.notebooks.extract import Submission, from_notebook
from autograde.notebooks.release import assemble, points, read_program
from autograde.notebooks.repair import nbgrader_of
from autograde.testing.decoys import DECOYS
from autograde.verification.expectations import WITHOUT_EXPERIMENTS

if TYPE_CHECKING:
    from autograde.grading.pool import Order


def right_orders(course: Course, slug: str, solution: Submission, drafted: Path, seeds: int) -> Iterator[Order]:
    right = [solution, *programs(course, slug, drafted, "right")]
    # Handed in with its experiments run, it is graded without them: no check may need what they define.
    yield replace(up_to_last_answer(solution), student=WITHOUT_EXPERIMENTS), Options()
    for program in right:
        yield program, Options()
    for seed in range(course.seed + 1, course.seed + seeds):
        for program in right:
            yield replace(up_to_last_answer(program), student=f"seed {seed}/{program.student}"), Options(seed=seed)


def wrong_orders(course: Course, slug: str, drafted: Path, every_check: bool) -> Iterator[Order]:
    for program in programs(course, slug, drafted, "wrong"):
        differs = frozenset() if every_check else _differs(course, slug, program)
        yield up_to_last_answer(program), Options(ignore_after=True, exercises=differs)


def decoy_orders(course: Course, slug: str, solution: Submission, misconceptions: Mapping[str, str]) -> Iterator[Order]:
    """The solution with other answers instead of its own: decoys, and those of misconceptions without a program."""
    bare = up_to_last_answer(solution)
    for name in DECOYS:
        yield replace(bare, student=f"decoy/{name}"), Options(ignore_after=True, decoy=name)
    for name in misconceptions.keys() - {path.stem for path in _files(course, slug, "wrong")}:
        holds = Options(ignore_after=True, exercises=frozenset({misconceptions[name]}), decoy=name)
        yield replace(bare, student=f"idea/{name}"), holds


def untouched(drafted: Path, slug: str) -> Submission:
    """The notebook as students get it."""
    return up_to_last_answer(from_notebook(nbformat.read(drafted, as_version=4), drafted, "untouched/stubs", slug))


def _differs(course: Course, slug: str, program: Submission) -> frozenset[str]:
    """The exercises whose answer cells a program replaces."""
    path = course.paths(slug).hidden_tests / f"{program.student}.py"
    return frozenset(read_program(path)[1]) & points(course, slug).keys()


def programs(course: Course, slug: str, drafted: Path, kind: str) -> Iterator[Submission]:
    """The right or the wrong programs as submissions."""
    for path in _files(course, slug, kind):
        cells = read_program(path)[1]
        try:
            notebook = assemble(course, slug, cells)
        except CourseError as error:
            raise CourseError(f"{path}: {error}") from None
        yield from_notebook(notebook, drafted, f"{kind}/{path.stem}", slug)


def _files(course: Course, slug: str, kind: str) -> list[Path]:
    return sorted((course.paths(slug).hidden_tests / kind).glob("*.py"))


def up_to_last_answer(submission: Submission) -> Submission:
    """Without the experiments at the end, which cost time and which no check looks at."""
    answers = {cell.id for cell in submission.notebook.cells if nbgrader_of(cell).get("solution")}
    last = max((index for index, (cell, _) in enumerate(submission.cells) if cell in answers), default=-1)
    return replace(submission, cells=submission.cells[: last + 1])

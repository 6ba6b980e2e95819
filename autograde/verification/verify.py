"""Is an assignment sound? Its solution and right programs get full marks, every wrong program is caught and named,
no foolish answer passes, nobody gets points for nothing, the points add up and nothing leaks.

This file says who is graded, and how; `verification` says what is expected of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from autograde.course import Course, CourseError
from autograde.grading.digests import Options, solution_of
from autograde.grading.pool import GraderPool, OnProgress
from autograde.notebooks.extract import Submission, from_notebook
from autograde.notebooks.leaks import shown
from autograde.notebooks.release import assemble, draft, points, read_program
from autograde.notebooks.repair import nbgrader_of
from autograde.report import Report
from autograde.testing.decoys import DECOYS
from autograde.verification.expectations import WITHOUT_EXPERIMENTS, judge
from autograde.verification.result import Verification

if TYPE_CHECKING:
    from autograde.grading.pool import Order


def verify(
    course: Course,
    slug: str,
    jobs: int,
    device: str = "cpu",
    *,
    seeds: int = 1,
    every_check: bool = False,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Grade the solution, every right and wrong program, and the fools; compare points; check for leaks.

    The solution and the right programs are graded under the course's seed and the `seeds` - 1 that follow it. A wrong
    program meets the checks of the exercises in which it differs; `every_check` makes it meet all. A misconception
    without a wrong program of its name is tried by its own answers.
    """
    drafted = draft(course, slug)  # raises CourseError for a leak or a malformed source
    solution, misconceptions = solution_of(course, slug, drafted), _misconceptions(course, slug)
    orders = [
        *_right_orders(course, slug, solution, drafted, seeds),
        *_wrong_orders(course, slug, drafted, every_check),
        (untouched(drafted, slug), Options(ignore_after=True)),
        *_decoy_orders(course, slug, solution, misconceptions),
    ]
    found, reports = Verification(slug, shown=shown(course, slug)), dict[str, Report]()
    with GraderPool(course, slug, jobs, device, untrusted=False) as pool:
        found.confinement = pool.confinement
        for report in pool.run(orders):
            reports[report.student] = report
            if on_progress:
                on_progress(len(reports), len(orders))
    judge(found, reports.pop(solution.student), reports.values(), points(course, slug), misconceptions)
    return found


def _right_orders(course: Course, slug: str, solution: Submission, drafted: Path, seeds: int) -> Iterator[Order]:
    right = [solution, *programs(course, slug, drafted, "right")]
    # Handed in with its experiments run, it is graded without them: no check may need what they define.
    yield replace(up_to_last_answer(solution), student=WITHOUT_EXPERIMENTS), Options()
    for program in right:
        yield program, Options()
    for seed in range(course.seed + 1, course.seed + seeds):
        for program in right:
            yield replace(up_to_last_answer(program), student=f"seed {seed}/{program.student}"), Options(seed=seed)


def _wrong_orders(course: Course, slug: str, drafted: Path, every_check: bool) -> Iterator[Order]:
    for program in programs(course, slug, drafted, "wrong"):
        differs = frozenset() if every_check else _differs(course, slug, program)
        yield up_to_last_answer(program), Options(ignore_after=True, exercises=differs)


def _decoy_orders(
    course: Course, slug: str, solution: Submission, misconceptions: Mapping[str, str]
) -> Iterator[Order]:
    """The solution with other answers put in the place of its own: the fools', and those of ideas without a program."""
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


def _misconceptions(course: Course, slug: str) -> dict[str, str]:
    """Name of each misconception that the hidden tests define -> the exercise whose checks know it."""
    return {
        name: path.stem.removeprefix("test_")
        for path in sorted(course.paths(slug).hidden_tests.glob("test_*.py"))
        for name in re.findall(r"\.misconception\ndef (\w+)", path.read_text(encoding="utf-8"))
    }

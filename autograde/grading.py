"""What grading one submission needs, whoever grades it: its text, its worker, its device, and what its report is of."""

from __future__ import annotations

import hashlib
import socket
from dataclasses import dataclass
from pathlib import Path

from autograde.course import Course
from autograde.extract import Submission, from_notebook, read_submission
from autograde.release import assemble, draft
from autograde.report import CellRun
from autograde.sandbox import RunningSubmission

ENGINE = Path(__file__).parent
MAX_LEFT_OUT = 2
"""cells that may end the notebook's process before it is given up"""


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """run checks that would wait, as `course verify` does to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    fool: str = ""
    """put a foolish answer in the place of every right one; the name of one of `verify`'s fools"""


def digest_of(course: Course, submission: Submission) -> str:
    """Of everything that a report depends on: submission, tests, reference, engine and policies."""
    paths = course.paths(submission.slug)
    digest = hashlib.sha256(submission.sha256.encode())
    files = [*paths.hidden_tests.glob("*.py"), *(course.root / "reference_impl").glob("*.py"), *ENGINE.rglob("*.py")]
    for file in sorted(file for file in files if "tests" not in file.relative_to(file.anchor).parts[-2:-1]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    policies = (course.seed, course.reveal, course.limits_of(submission.slug), course.device)
    digest.update(repr(policies).encode() + repr(submission.cells).encode())
    return digest.hexdigest()


def submission_for(course: Course, slug: str, file: str | None = None) -> Submission:
    """`file` as a submission, or the instructor's own solution."""
    released = released_notebook(course, slug)
    if file is None:
        return from_notebook(assemble(course, slug, {}), released, "instructor", slug)
    return read_submission(Path(file), released, Path(file).stem, slug, course.limits_of(slug).notebook_bytes)


def released_notebook(course: Course, slug: str) -> Path:
    """The released notebook, or a draft of it while the assignment has not been released."""
    released = course.paths(slug).released_notebook
    return released if released.exists() else draft(course, slug)


def open_submission(
    course: Course, submission: Submission, warm: socket.socket, checks: int, device: str
) -> RunningSubmission:
    """Run the notebook in a worker that can then answer up to `checks` checks.

    A cell that ends the notebook's process is left out of a second run, so that it costs its own exercise alone.
    """
    data = tuple(course.root / "source" / "data" / name for name in course.assignment(submission.slug).data)
    limits, left_out = course.limits_of(submission.slug), dict[str, CellRun]()
    while True:
        cells = [cell for cell in submission.cells if cell[0] not in left_out]
        running = RunningSubmission(
            warm, cells, limits=limits, checks=checks, data=data, device=device, seed=course.seed
        )
        if running.fatal_cell and len(left_out) < MAX_LEFT_OUT:
            running.close()
            left_out[running.fatal_cell] = _left_out(
                running.fatal_cell, f"{running.problem}; run again without this cell"
            )
        else:
            ran = {run.cell: run for run in running.cells} | left_out
            running.cells = [ran[name] for name, _ in submission.cells if name in ran]
            return running


def _left_out(cell: str, error: str) -> CellRun:
    """The account of a cell that ended the notebook's process, with the reason where its output would be."""
    return CellRun(cell=cell, error=error, outputs=[{"output_type": "stream", "name": "stderr", "text": error}])


def choose_device(course: Course, wanted: str | None = None) -> str:
    """cpu or cuda, from the command line, else the course, else what the machine has."""
    device = wanted or course.device
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"

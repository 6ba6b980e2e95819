"""Starts a submission in a worker, and leaves out cells that end its process."""

from __future__ import annotations

import socket

import msgspec

from autograde.course import Experiments, Work
from autograde.isolation.cell_runs import parse_cell_run
from autograde.isolation.running_submission import RunningSubmission
from autograde.notebooks.extract import Submission
from autograde.report import CellRun
from autograde.wire import WireError

MAX_LEFT_OUT = 2
"""cells that are left out before the notebook is given up"""


def open_submission(
    work: Work, submission: Submission, zygote: socket.socket, checks: int, device: str
) -> RunningSubmission:
    """Run the notebook in a worker that can then answer up to `checks` checks.

    A cell that ends the notebook's process is left out of a second run, so that it costs its own exercise alone.
    """
    left_out = _read_submitted_outputs(work, submission)
    most_left_out = len(left_out) + MAX_LEFT_OUT
    while True:
        cells = [cell for cell in submission.cells if cell[0] not in left_out]
        running = RunningSubmission(
            zygote, cells, limits=work.limits, checks=checks, data=work.data, device=device, seed=work.course.seed
        )
        if running.fatal_cell and len(left_out) < most_left_out:
            running.close()
            left_out[running.fatal_cell] = _make_left_out_run(
                running.fatal_cell, f"{running.problem}; run again without this cell"
            )
        else:
            ran = {run.cell: run for run in running.cells} | left_out
            running.cells = [ran[name] for name, _ in submission.cells if name in ran]
            return running


def _read_submitted_outputs(work: Work, submission: Submission) -> dict[str, CellRun]:
    """The submitted outputs of experiments that need not run; none if they are malformed or too large."""
    if work.course.experiments is Experiments.RUN_AGAIN:
        return {}
    try:
        runs = [
            parse_cell_run({"cell": name, "outputs": outputs, "ran": False}, name)
            for name, outputs in submission.experiments.items()
        ]
    except WireError:
        return {}
    if sum(map(len, map(msgspec.json.encode, runs))) > work.limits.output_bytes:
        return {}
    return {run.cell: run for run in runs}


def _make_left_out_run(cell: str, error: str) -> CellRun:
    """The record of a cell that ended the notebook's process, with the reason as its output."""
    return CellRun(cell=cell, error=error, outputs=[{"output_type": "stream", "name": "stderr", "text": error}])

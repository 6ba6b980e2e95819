"""Validates what an untrusted worker reports about the cells that it ran."""

from __future__ import annotations

from typing import Any

import msgspec

from autograde.report import CellRun
from autograde.text import normalise_run_dependent
from autograde.wire import WireError


def parse_cell_run(reply: Any, name: str) -> CellRun:
    """Validate the worker's account of one cell; WireError if it is anything else."""
    try:
        run = msgspec.convert(normalise_run_dependent(reply), CellRun)
        msgspec.json.encode(run)  # only what a report can hold
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise WireError("an account of a cell that makes no sense") from None
    if run.cell != name:
        raise WireError("an account of another cell than was sent")
    return run

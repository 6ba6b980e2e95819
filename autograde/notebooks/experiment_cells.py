"""The author's experiments behind the last answer: they train, draw and print, and no check looks at them.

They take longer than all checks together. What they showed when the student ran them is in the file.
"""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import Any

from nbformat.notebooknode import NotebookNode

from autograde.notebooks.repair import Repaired, is_locked, nbgrader_of


def experiments_run(fixed: Repaired) -> dict[str, list[Any]]:
    """Cell id -> its outputs as submitted, untrusted; empty if the experiments have to run.

    They need not run if the student ran all of them, unchanged, one after the other, after everything before them.
    """
    code = [cell for cell in fixed.notebook.cells if cell.cell_type == "code"]
    last = list(takewhile(_is_experiment, reversed(code)))[::-1]
    ran = [_run_unchanged(fixed, cell) for cell in last]
    before = [
        fixed.origin[cell.id].execution_count for cell in code[: len(code) - len(last)] if cell.id in fixed.origin
    ]
    latest = max((count for count in before if count is not None), default=0)
    counts = [latest, *(count for count in ran if count is not None)]
    if len(counts) - 1 < len(last) or any(later <= earlier for earlier, later in pairwise(counts)):
        return {}
    return {cell.id: fixed.origin[cell.id].outputs for cell in last}


def _is_experiment(cell: NotebookNode) -> bool:
    return is_locked(cell) and not nbgrader_of(cell).get("grade")


def _run_unchanged(fixed: Repaired, cell: NotebookNode) -> int | None:
    """When the cell was run, counted in cells; None if it was not, or was another one."""
    handed_in = fixed.origin.get(cell.id)
    if handed_in is None or handed_in.source.strip() != cell.source.strip():
        return None
    return handed_in.execution_count

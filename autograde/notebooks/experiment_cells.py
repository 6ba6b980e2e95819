"""Decides whether the experiment cells of a submission must run again.

Experiments are the author's cells after the last answer: they train, plot and print, and no check uses them. They often
take longer than all checks together, and the submitted file already contains the outputs of the student's own run.
"""

from __future__ import annotations

from itertools import pairwise, takewhile
from typing import Any

from nbformat.notebooknode import NotebookNode

from autograde.notebooks.repair import RepairedNotebook, is_locked, read_nbgrader_metadata


def find_experiment_outputs(fixed: RepairedNotebook) -> dict[str, list[Any]]:
    """Return cell id -> submitted outputs, which are untrusted; empty if the experiments must run.

    They need not run if the student ran all of them unchanged, in order, and after all earlier cells.
    """
    code = [cell for cell in fixed.notebook.cells if cell.cell_type == "code"]
    last = list(takewhile(_is_experiment, reversed(code)))[::-1]
    ran = [_execution_count_if_unchanged(fixed, cell) for cell in last]
    before = [
        fixed.origin[cell.id].execution_count for cell in code[: len(code) - len(last)] if cell.id in fixed.origin
    ]
    latest = max((count for count in before if count is not None), default=0)
    counts = [latest, *(count for count in ran if count is not None)]
    if len(counts) - 1 < len(last) or any(later <= earlier for earlier, later in pairwise(counts)):
        return {}
    return {cell.id: fixed.origin[cell.id].outputs for cell in last}


def _is_experiment(cell: NotebookNode) -> bool:
    return is_locked(cell) and not read_nbgrader_metadata(cell).get("grade")


def _execution_count_if_unchanged(fixed: RepairedNotebook, cell: NotebookNode) -> int | None:
    """Return the submitted execution count; None if the cell was not run or was changed."""
    submitted = fixed.origin.get(cell.id)
    if submitted is None or submitted.source.strip() != cell.source.strip():
        return None
    return submitted.execution_count

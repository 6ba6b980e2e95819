"""Manual marks: an answer that a person has marked is not marked again as long as its text stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Grade


def marked_answers(grades: Mapping[str, Grade], place: Path) -> dict[str, str]:
    """Name -> text of the answers that a person has marked and that need no further marking."""
    names = {name for name, grade in grades.items() if grade.manual_score is not None and not grade.needs_manual_grade}
    if not names or not place.exists():
        return {}
    return {name: text for name, text in _texts(nbformat.read(place, as_version=4)).items() if name in names}


def keep_marked(grades: Mapping[str, Grade], marked: Mapping[str, str], notebook: NotebookNode) -> None:
    """Clear nbgrader's request to mark an answer again after regrading if its text still equals the `marked` one."""
    for name, text in _texts(notebook).items():
        if name in marked and marked[name] == text:
            grades[name].needs_manual_grade = False


def _texts(notebook: NotebookNode) -> dict[str, str]:
    named = (cell for cell in notebook.cells if "grade_id" in cell.metadata.get("nbgrader", {}))
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in named}

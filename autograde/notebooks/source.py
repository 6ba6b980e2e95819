"""Reads and checks the instructor's source/<slug>.py, which is in jupytext's percent format."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.course import CourseError, Work
from autograde.exception_names import public_name
from autograde.notebooks.regions import CELL_HEADER, check_regions, list_region_lines
from autograde.notebooks.repair import read_nbgrader_metadata

NBGRADER_HEADER = re.compile(r"# %%.*?\bnbgrader *= *(.*)")
REQUIRED_KEYS = ("grade", "grade_id", "locked", "schema_version", "solution")
GRADE_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")
CHECKS = "-checks"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


@dataclass(frozen=True)
class Source:
    """One parsed source file; `lines[i]` is the line number where cell i begins."""

    path: Path
    notebook: NotebookNode
    lines: list[int]

    def locate(self, index: int) -> str:
        grade_id = read_nbgrader_metadata(self.notebook.cells[index]).get("grade_id")
        return f"{self.path}:{self.lines[index]}: cell {grade_id!r}" if grade_id else f"{self.path}:{self.lines[index]}"


def read_source(work: Work) -> Source:
    """Parse and check source/<slug>.py. CourseError with file, line and cell for any mistake."""
    path = work.paths.source
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CourseError(f"{path}: no such file; write it, or run `course new {work.slug} --title TITLE`") from None
    except UnicodeDecodeError as error:
        raise CourseError(f"{path}: not UTF-8 text ({error})") from None
    _check_headers(path, text)
    check_regions(path, text)
    notebook = _parse(path, text)
    source = Source(path, notebook, _find_cell_lines(text, len(notebook.cells)))
    _check_cells(source)
    _name_cells(notebook)
    _check_hidden_tests(work, source)
    return source


def list_graded_exercises(notebook: NotebookNode) -> dict[str, float]:
    """Return exercise -> points of its `<exercise>-checks` cell."""
    cells = [read_nbgrader_metadata(cell) for cell in notebook.cells]
    return {
        cell["grade_id"].removesuffix(CHECKS): float(cell["points"])
        for cell in cells
        if cell.get("grade") and not cell.get("solution")
    }


def _parse(path: Path, text: str) -> NotebookNode:
    import jupytext  # 0.15 s to import; grading seldom needs it

    try:
        notebook: NotebookNode = jupytext.reads(text, fmt="py:percent")
    except Exception as error:
        raise CourseError(f"{path}: jupytext cannot read it: {public_name(error)}: {error}") from error
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)  # jupytext's record of blank lines
    return notebook


def _find_cell_lines(text: str, cells: int) -> list[int]:
    headers = [number for number, line in enumerate(text.split("\n"), 1) if CELL_HEADER.match(line)]
    # If the file does not begin with a header, it has one more cell than headers.
    return ([1] * (cells - len(headers)) + headers)[:cells] if cells >= len(headers) else [1] * cells


def _check_headers(path: Path, text: str) -> None:
    """Refuse nbgrader metadata that is not JSON: jupytext would make it part of the cell's title."""
    for number, line in enumerate(text.split("\n"), 1):
        if header := NBGRADER_HEADER.match(line):
            try:
                json.JSONDecoder().raw_decode(header[1])
            except ValueError as error:
                what, column = str(error).split(":")[0], header.start(1) + getattr(error, "pos", 0) + 1
                raise CourseError(
                    f"{path}:{number}: what follows nbgrader= is not JSON (column {column}: {what}); put names in "
                    'double quotes and write true and false in lower case, as in {"grade": true}'
                ) from None


def _check_cells(source: Source) -> None:
    seen: dict[str, int] = {}
    for index, cell in enumerate(source.notebook.cells):
        where = source.locate(index)
        if "nbgrader" in cell.metadata:
            _check_metadata(where, cell)
            grade_id = read_nbgrader_metadata(cell)["grade_id"]
            if grade_id in seen:
                raise CourseError(
                    f"{where}: the cell on line {seen[grade_id]} has the same grade_id; rename one of them"
                )
            seen[grade_id] = source.lines[index]
        if list_region_lines(cell.source, ("SOLUTION",)) and not read_nbgrader_metadata(cell).get("solution"):
            raise CourseError(f'{where}: it has a SOLUTION region; write "solution": true in its header')
        if cell.cell_type == "code":
            _check_syntax(source, index, cell.source)


def _check_metadata(where: str, cell: NotebookNode) -> None:
    metadata: Any = cell.metadata["nbgrader"]
    missing = [key for key in REQUIRED_KEYS if not isinstance(metadata, dict) or key not in metadata]
    if missing:
        raise CourseError(
            f"{where}: its nbgrader header lacks {', '.join(missing)}; copy a header that has all five keys"
        )
    if metadata["schema_version"] != 3:
        raise CourseError(
            f"{where}: schema_version is {metadata['schema_version']!r}; write 3, which nbgrader 0.9 needs"
        )
    if not isinstance(metadata["grade_id"], str) or not GRADE_ID.match(metadata["grade_id"]):
        raise CourseError(f"{where}: grade_id must be 1 to 64 letters, digits, - or _")
    for key in ("grade", "locked", "solution", "task"):
        if not isinstance(metadata.get(key, False), bool):
            raise CourseError(f"{where}: {key} must be true or false, not {metadata[key]!r}")
    _check_kind(where, cell.cell_type, metadata)


def _check_kind(where: str, cell_type: str, metadata: dict[str, Any]) -> None:
    """Check that the cell is one of the five kinds that nbgrader knows."""
    grade, solution, task = metadata["grade"], metadata["solution"], metadata.get("task", False)
    points = metadata.get("points")
    if task and (grade or solution or cell_type != "markdown"):
        raise CourseError(f"{where}: a task is a markdown cell with neither grade nor solution")
    if cell_type == "markdown" and not task and grade != solution:
        raise CourseError(f"{where}: a written answer needs both grade and solution true; other prose needs neither")
    if (grade or task) and points is None:
        raise CourseError(f'{where}: a graded cell needs points; add "points": 1 (or another number) to its header')
    if (grade or task) and (isinstance(points, bool) or not isinstance(points, (int, float)) or not points >= 0):
        raise CourseError(f"{where}: points must be a number that is not negative, not {points!r}")
    if points is not None and not (grade or task):
        raise CourseError(f"{where}: it has points but is not graded; delete the points or set grade to true")
    if grade and not solution and not metadata["grade_id"].endswith(CHECKS):
        raise CourseError(f"{where}: hidden checks grade it, so its grade_id must be `<exercise>{CHECKS}`")


def _check_syntax(source: Source, index: int, text: str) -> None:
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        python = TransformerManager().transform_cell(text)
        compile(python, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError) as error:
        line = source.lines[index] + (getattr(error, "lineno", 0) or 0)
        where = source.locate(index).replace(f":{source.lines[index]}", f":{line}", 1)
        raise CourseError(f"{where}: it is not valid Python: {getattr(error, 'msg', error)}") from None


def _name_cells(notebook: NotebookNode) -> None:
    """Set cell ids that are the same in every release: the grade_id, or else the position."""
    taken = {read_nbgrader_metadata(cell).get("grade_id") for cell in notebook.cells}
    for number, cell in enumerate(notebook.cells, 1):
        place = f"cell-{number:02d}"
        cell["id"] = read_nbgrader_metadata(cell).get("grade_id") or (place if place not in taken else f"{place}-plain")


def _check_hidden_tests(work: Work, source: Source) -> None:
    folder = work.paths.hidden_tests
    tested = {path.stem.removeprefix("test_") for path in folder.glob("test_*.py")}
    for index, cell in enumerate(source.notebook.cells):
        metadata = read_nbgrader_metadata(cell)
        exercise = metadata.get("grade_id", "").removesuffix(CHECKS)
        if metadata.get("grade") and not metadata.get("solution") and exercise not in tested:
            raise CourseError(f"{source.locate(index)}: it has no hidden test; write {folder / f'test_{exercise}.py'}")
    for exercise in sorted(tested - set(list_graded_exercises(source.notebook))):
        raise CourseError(f"{folder / f'test_{exercise}.py'}: no cell '{exercise}{CHECKS}' in {source.path}; add it")

"""Restores the structure of the release in a submitted notebook.

Covered: locked cells that were edited, deleted, copied or given another type; damaged, missing or forged
nbgrader metadata.
Not covered: the order of cells, which is the student's, because "Run All" ran the cells in that order.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.course import CourseError
from autograde.report import Problem, ProblemKind

MAX_PROBLEMS = 40
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}\Z")


@dataclass(frozen=True)
class RawCell:
    """One submitted cell: the types of its fields are checked, their values are not."""

    kind: str
    source: str
    id: str = ""
    grade_id: str = ""
    nbgrader: Any = None
    attachments: bool = False
    damage: str = ""
    outputs: list[Any] = field(default_factory=list)
    """untrusted"""
    execution_count: int | None = None
    """None if the cell was not run or its outputs were cleared"""


@dataclass
class RepairedNotebook:
    """The repaired notebook, the ids of cells that the worker must not run, and a list of the repairs."""

    notebook: NotebookNode
    not_run: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    renamed: list[str] = field(default_factory=list)
    """cells whose nbgrader metadata had been lost or changed"""
    origin: dict[str, RawCell] = field(default_factory=dict)
    """id of a cell in the repaired notebook -> the submitted cell"""

    def note(self, text: str, cell: str = "", kind: ProblemKind = ProblemKind.REPAIRED) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(kind=kind, cell=cell, text=text))
        elif len(self.problems) == MAX_PROBLEMS:
            more = "More of the notebook was repaired than is listed here."
            self.problems.append(Problem(kind=ProblemKind.REPAIRED, text=more))


class Release(NamedTuple):
    """A released notebook and the digest of the bytes that it was read from."""

    notebook: NotebookNode
    sha256: str


def read_release(path: Path) -> Release:
    """Read the release at `path`; CourseError if it is missing. The notebook is cached: callers must not change it."""
    try:
        status = path.stat()
        return _read_cached(path, (status.st_mtime_ns, status.st_size, status.st_ino))
    except FileNotFoundError:
        raise CourseError(f"{path}: not released yet; run `course release {path.stem}`") from None


def read_release_notebook(path: Path) -> NotebookNode:
    return read_release(path).notebook


@lru_cache(maxsize=64)
def _read_cached(path: Path, version: tuple[int, int, int]) -> Release:
    data = path.read_bytes()
    try:
        notebook: NotebookNode = nbformat.reads(data.decode(), as_version=4)
    except (ValueError, nbformat.ValidationError) as error:
        raise CourseError(f"{path}: not a notebook ({error}); run `course release {path.stem}`") from error
    return Release(notebook, hashlib.sha256(data).hexdigest())


def read_nbgrader_metadata(cell: NotebookNode) -> dict[str, Any]:
    """Return the nbgrader metadata of a trusted cell; empty if it has none."""
    metadata: dict[str, Any] = cell.metadata.get("nbgrader", {})
    return metadata


def is_locked(cell: NotebookNode) -> bool:
    """Return True if students must not change this cell of the release: it is graded or locked and takes no answer."""
    metadata = read_nbgrader_metadata(cell)
    return not metadata.get("solution") and bool(metadata.get("grade") or metadata.get("locked"))


def repair_notebook(cells: list[RawCell], release: NotebookNode) -> RepairedNotebook:
    """Build a notebook from `cells` that contains every locked cell of `release` exactly once, unchanged."""
    result = RepairedNotebook(nbformat.v4.new_notebook(metadata=copy.deepcopy(release.metadata)))
    result.notebook.nbformat_minor = 5
    released = {cell.id: cell for cell in release.cells}
    claims = _match_cells(cells, release)
    free = _generate_ids(cells, released)
    for index, cell in enumerate(cells):
        name = claims[index] if index in claims else next(free)
        _note_damage(result, cell, index, name, index in claims)
        if index in claims:
            result.notebook.cells.append(_restore_cell(result, cell, released[name]))
        else:
            result.notebook.cells.append(_make_plain_cell(result, cell, index, name, release))
        result.origin[result.notebook.cells[-1].id] = cell
    _reinsert_deleted(result, release, set(claims.values()))
    if result.renamed:
        named, more = ", ".join(result.renamed[:3]), " and others" if len(result.renamed) > 3 else ""
        cells_named = f"cell{'s' if result.renamed[1:] else ''} {named}{more}"
        result.note(f"The nbgrader metadata of the {cells_named} was lost or changed; the release's was put back.")
    return result


def _match_cells(cells: list[RawCell], release: NotebookNode) -> dict[int, str]:
    """Return index of a submitted cell -> id of the released cell that it matches.

    Cells are matched by id first, because an editor gives a copied cell a new id. The remaining cells are matched by
    grade_id; if several have the same one, the first matches.
    """
    by_grade_id = {
        metadata.get("grade_id"): cell.id for cell in release.cells if (metadata := read_nbgrader_metadata(cell))
    }
    known = {cell.id for cell in release.cells}
    claims: dict[int, str] = {}
    taken: set[str] = set()
    own_ids = [cell.id for cell in cells]
    named_by_grade_id = [by_grade_id.get(cell.grade_id, "") for cell in cells]
    for names in (own_ids, named_by_grade_id):
        for index, wanted in enumerate(names):
            if index not in claims and wanted in known and wanted not in taken:
                claims[index] = wanted
                taken.add(wanted)
    return claims


def _generate_ids(cells: list[RawCell], released: dict[str, NotebookNode]) -> Any:
    """Yield ids for cells that are not in the release: unused, and the same each time the submission is read."""
    used = {cell.id for cell in cells} | set(released)
    number = 0
    while True:
        number += 1
        if (name := f"student-{number}") not in used:
            yield name


def _label(cell: RawCell, index: int) -> str:
    name = cell.grade_id if CELL_ID.match(cell.grade_id) else ""
    return f"Cell {name!r}" if name else f"Cell {index + 1}"


def _note_damage(result: RepairedNotebook, cell: RawCell, index: int, name: str, known: bool) -> None:
    label = _label(cell, index)
    if cell.damage:
        result.note(f"{label} {cell.damage}; what could be read of it was kept.", name)
    if cell.attachments:
        result.note(f"{label} had files pasted into it; they were dropped.", name, ProblemKind.DROPPED)
    if cell.nbgrader is not None and not known and not cell.grade_id:
        text = f"{label} carried nbgrader metadata that names no cell; it was dropped."
        result.note(text, name, ProblemKind.DROPPED)


def _make_plain_cell(
    result: RepairedNotebook, cell: RawCell, index: int, free_id: str, release: NotebookNode
) -> NotebookNode:
    """Make a cell that is not in the release: it runs, earns no points and has no metadata."""
    if cell.grade_id:
        known = any(read_nbgrader_metadata(other).get("grade_id") == cell.grade_id for other in release.cells)
        why = "is a copy: it runs as an ordinary cell" if known else "is not in the release: its name was dropped"
        result.note(f"{_label(cell, index)} (cell {index + 1}) {why}.", free_id)
    return _make_cell(cell.kind, cell.source, free_id)


def _restore_cell(result: RepairedNotebook, cell: RawCell, released: NotebookNode) -> NotebookNode:
    """Make a cell of the release, with the student's source unless the cell is locked."""
    name, metadata = released.id, read_nbgrader_metadata(released)
    if cell.kind != released.cell_type:
        result.note(f"Cell {name!r} had become a {cell.kind} cell; it is a {released.cell_type} cell again.", name)
    if metadata and not _has_same_metadata(cell.nbgrader, metadata):
        result.renamed.append(name)
    source = cell.source
    if is_locked(released):
        if source.strip() != released.source.strip():
            result.note(f"Cell {name!r} is locked; what was changed in it was undone.", name)
        source = released.source
    return _make_cell(released.cell_type, source, name, released.metadata)


def _has_same_metadata(submitted: Any, released: dict[str, Any]) -> bool:
    """Compare nbgrader metadata without the keys that Jupyter and jupytext do not preserve."""
    if not isinstance(submitted, dict):
        return False
    checked = set(released) - {"checksum", "cell_type", "task"}
    extra = set(submitted) - set(released) - {"checksum", "cell_type", "task"}
    return not extra and all(
        json.dumps(submitted.get(key), default=str) == json.dumps(released[key], default=str)
        or (key == "points" and type(submitted.get(key)) in (int, float) and submitted[key] == released[key])
        for key in checked
    )


def _reinsert_deleted(result: RepairedNotebook, release: NotebookNode, present: set[str]) -> None:
    """Insert each deleted cell after the cell that precedes it in the release."""
    cells = result.notebook.cells
    position = 0
    for released in release.cells:
        metadata = read_nbgrader_metadata(released)
        if released.id in present:
            position = next(i for i, cell in enumerate(cells) if cell.id == released.id) + 1
        elif is_locked(released) or metadata.get("grade") or metadata.get("task"):
            cells.insert(position, _make_cell(released.cell_type, released.source, released.id, released.metadata))
            position += 1
            result.note(f"Cell {released.id!r} was missing; it was put back as released.", released.id)
            if metadata.get("solution"):
                # Running the stub would overwrite an answer that the student may have written in a new cell.
                result.not_run.add(released.id)
        elif metadata.get("solution"):
            text = f"Cell {released.id!r}, where an answer belongs, is missing."
            result.note(text, released.id, ProblemKind.ANSWER_MISSING)


def _make_cell(kind: str, source: str, cell_id: str, metadata: Any = None) -> NotebookNode:
    """Make a cell without nbformat's constructors, which validate each cell and take a millisecond for it."""
    parts = {"id": cell_id, "cell_type": kind, "metadata": copy.deepcopy(metadata or NotebookNode()), "source": source}
    return NotebookNode(parts | ({"execution_count": None, "outputs": []} if kind == "code" else {}))

"""Searches an assignment for secrets before it is released.

Covered: any distinctive line of a solution, mark scheme or hidden-test region, of the hidden tests, of the wrong and
right programs, and of the reference. The notebook's cells and metadata and the data files are searched.
Not covered: a solution that the author also wrote outside the regions, which `verify` lists; a paraphrased solution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbformat.notebooknode import NotebookNode

from autograde.course import Work
from autograde.notebooks.regions import MARKER, REGIONS, list_region_lines, remove_regions
from autograde.notebooks.repair import read_nbgrader_metadata
from autograde.notebooks.source import read_source

SHORTEST_SECRET = 8
SHORTEST_TEST_OR_REFERENCE = 40
"""shorter lines of hidden tests, programs and the reference may occur in a notebook by coincidence"""
SHORTEST_SHOWN = 20
"""shorter lines of a solution may occur elsewhere by coincidence"""
TEST_LINE = re.compile(r"\b(student|oracle)\.")
COMMON = re.compile(r"\s*(import |from |#|@|super\(\)|def __init__)")


def find_leaks(work: Work, released: Path) -> list[str]:
    """Return one sentence for each secret that the files in `released` contain."""
    files = [file for file in sorted(released.rglob("*")) if file.is_file()]
    return find_leaks_in_texts(work, {file.relative_to(released).as_posix(): _read_text(file) for file in files})


def find_leaks_in_texts(work: Work, texts: dict[str, str]) -> list[str]:
    """Return one sentence for each secret in `texts`, which maps file names to contents."""
    notebook = read_source(work).notebook
    public = _read_public_text(notebook)
    found = []
    for name, text in texts.items():
        if marker := MARKER.search(text):
            found.append(f"{name} contains {marker[0]!r}; a region was not removed")
        for line, where in _list_region_lines(notebook):
            if line in text and line not in public:
                found.append(f"{name} contains a line of {where}: {line[:60]!r}; delete it there")
        for line, where in _list_test_and_reference_lines(work):
            # The author may show a line of the reference on purpose, but never a line of a hidden test.
            if line in text and (line not in public or TEST_LINE.search(line)):
                found.append(f"{name} contains a line of {where}: {line[:60]!r}; delete it there")
    return found


def find_shown_solution_lines(work: Work) -> list[str]:
    """Return one sentence for each solution line that the source also shows outside the regions.

    The author decides whether it is intended.
    """
    source = read_source(work)
    secrets = [(line, where) for line, where in _list_region_lines(source.notebook) if len(line) >= SHORTEST_SHOWN]
    return [
        f"{source.locate(index)} shows students a line of {where}: {line[:60]!r}; delete it unless this is intended"
        for index, cell in enumerate(source.notebook.cells)
        if not _is_unmarked_solution(cell)
        for line, where in secrets
        if line in remove_regions(cell.source, REGIONS)
    ]


def _is_unmarked_solution(cell: NotebookNode) -> bool:
    """Return True for a solution cell without a region; nbgrader replaces all of its source."""
    return bool(read_nbgrader_metadata(cell).get("solution")) and "BEGIN SOLUTION" not in cell.source


def _read_public_text(notebook: NotebookNode) -> str:
    """Return the text that the source shows to students."""
    return "\n".join(remove_regions(c.source, REGIONS) for c in notebook.cells if not _is_unmarked_solution(c))


def _list_region_lines(notebook: NotebookNode) -> list[tuple[str, str]]:
    secrets = []
    for cell in notebook.cells:
        lines = cell.source.split("\n") if _is_unmarked_solution(cell) else list_region_lines(cell.source)
        secrets += [(line.strip(), f"the hidden part of cell {cell.id!r}") for line in lines]
    return [(line, where) for line, where in secrets if len(line) >= SHORTEST_SECRET and not COMMON.match(line)]


def _list_test_and_reference_lines(work: Work) -> list[tuple[str, str]]:
    files = sorted(work.paths.hidden_tests.rglob("*.py"))
    files += sorted((work.course.root / "reference_impl").rglob("*.py"))
    secrets = []
    for file in files:
        where = str(file.relative_to(work.course.root))
        for line in file.read_text(encoding="utf-8").split("\n"):
            if len(line.strip()) >= SHORTEST_TEST_OR_REFERENCE and not COMMON.match(line):
                secrets.append((line.strip(), where))
    return secrets


def _read_text(file: Path) -> str:
    """Return the text of the file; of a notebook, its strings without the JSON escapes."""
    raw = file.read_bytes().decode("utf-8", "replace")
    if file.suffix != ".ipynb":
        return raw
    return "\n".join(_list_strings(json.loads(raw)))


def _list_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        # The source of a cell is stored as a list of lines.
        yield "".join(value)
    elif isinstance(value, (list, dict)):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _list_strings(item)

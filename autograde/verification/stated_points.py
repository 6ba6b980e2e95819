"""The points that a notebook's headings and tables state, compared with those of the graded cells below them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nbformat.notebooknode import NotebookNode

from autograde.notebooks.repair import read_nbgrader_metadata
from autograde.notebooks.source import Source
from autograde.verification.problems import Problem, ProblemKind

HEADING = re.compile(r"^#+ (?P<title>.*?)\((?P<points>no|\d+(?:\.\d+)?) points?\b", re.MULTILINE)
TABLE = re.compile(
    r"^\|[^|\n]*\| *points *\|\n\|[-:| ]+\|\n(?P<rows>(?:\|.*\|(?:\n|$))+)", re.MULTILINE | re.IGNORECASE
)
ROW = re.compile(r"^\|(?P<label>.*)\| *(?P<points>\d+(?:\.\d+)?) *\|$", re.MULTILINE)
TOTAL = re.compile(r"\b(total|sum|all)\b", re.IGNORECASE)


def find_stated_point_problems(source: Source) -> Iterator[Problem]:
    """Headings `(6 points)` and tables `| exercise | points |` whose numbers are not those of the cells."""
    sections = list(_split_sections(source.notebook.cells))
    for title, stated, points in sections:
        if stated != points:
            yield Problem(kind=ProblemKind.HEADING_POINTS, title=title, points=points, cell_points=stated)
    worth = [points for _, _, points in sections if points]
    for cell in source.notebook.cells:
        if cell.cell_type == "markdown" and (table := TABLE.search(cell.source)):
            yield from _compare_with_table(table["rows"], worth)


def _split_sections(cells: list[NotebookNode]) -> Iterator[tuple[str, float, float]]:
    """(title, stated points, points of the graded cells) of each heading that states points, up to the next one."""
    title, stated, points = "", 0.0, 0.0
    for cell in cells:
        if cell.cell_type == "markdown":
            for heading in HEADING.finditer(cell.source):
                if title:
                    yield title, stated, points
                title, points = heading["title"].strip(), 0.0
                stated = 0.0 if heading["points"] == "no" else float(heading["points"])
        points += float(read_nbgrader_metadata(cell).get("points") or 0)
    if title:
        yield title, stated, points


def _compare_with_table(rows: str, worth: list[float]) -> Iterator[Problem]:
    """Compare the rows with the sections that are worth points, in their order; a row may be their total."""
    found = [(row["label"].strip(), float(row["points"])) for row in ROW.finditer(rows)]
    totals = [row for row in found if TOTAL.search(row[0])]
    parts = [row for row in found if row not in totals]
    for label, stated in totals:
        if stated != sum(worth):
            yield Problem(kind=ProblemKind.TABLE_POINTS, title=label, points=sum(worth), cell_points=stated)
    if len(parts) != len(worth):
        kind = ProblemKind.TABLE_ROWS
        yield Problem(kind=kind, points=float(len(worth)), cell_points=float(len(parts)))
        return
    for (label, stated), points in zip(parts, worth, strict=True):
        if stated != points:
            yield Problem(kind=ProblemKind.TABLE_POINTS, title=label, points=points, cell_points=stated)

"""Makes the students' notebook: source -> stage -> nbgrader's generate_assignment -> leak check -> release."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde.course import CourseError, Work
from autograde.disk import replace_folder
from autograde.notebooks.leaks import find_leaks
from autograde.notebooks.regions import remove_regions
from autograde.notebooks.repair import read_nbgrader_metadata, read_release_notebook
from autograde.notebooks.source import Source, list_graded_exercises, read_source
from autograde.notebooks.stage import find_staged, stage

PROGRAM_CELL = re.compile(r"# %% *(\[markdown\])? *(.*)")


def draft(work: Work) -> Path:
    """Generate the students' notebook in build/draft/<slug> and check it for leaks.

    Neither release/ nor the gradebook is changed.
    """
    return _generate(work, "build/draft", no_database=True)


def release(works: Iterable[Work]) -> list[Path]:
    """Release the assignments and return their notebooks. An assignment with a mistake keeps its old release."""
    notebooks = []
    for work in works:
        draft(work)
        made = _generate(work, "build/release", no_database=False).parent
        replace_folder(work.paths.release, made)
        notebooks.append(work.paths.released_notebook)
    return notebooks


def _generate(work: Work, folder: str, *, no_database: bool) -> Path:
    from autograde.notebooks.nbgrader_run import generate_assignment  # a second to import; grading does not need it

    stage(work)
    generate_assignment(work, folder, no_database=no_database)
    made = work.course.root / folder / work.slug
    found = find_leaks(work, made)
    if found:
        shutil.rmtree(made)
        raise CourseError(f"{work.slug} is not released: " + "; ".join(found[:5]))
    return made / f"{work.slug}.ipynb"


_SOURCES: dict[tuple[str, ...], Source] = {}


def _read_source_cached(work: Work) -> Source:
    """Cache `read_source`; read again when the source or the list of hidden tests has changed."""
    paths = work.paths
    stamps = [str(path.stat().st_mtime_ns) for path in (paths.source, paths.hidden_tests) if path.exists()]
    key = (str(work.course.root), work.slug, *stamps)
    if key not in _SOURCES:
        _SOURCES[key] = read_source(work)
    return _SOURCES[key]


def read_points(work: Work) -> dict[str, float]:
    """Return exercise -> points of its `<exercise>-checks` cell, in the order of the source.

    The points come from the staged notebook if it is up to date: reading the source takes a quarter of a second. If the
    source is missing or has a mistake, they come from the released notebook.
    """
    if made := find_staged(work):
        return list_graded_exercises(read_release_notebook(made))
    try:
        return list_graded_exercises(_read_source_cached(work).notebook)
    except CourseError:
        released = work.paths.released_notebook
        if not released.exists():
            raise
        return list_graded_exercises(read_release_notebook(released))


def assemble(work: Work, replacements: Mapping[str, str]) -> NotebookNode:
    """Make the notebook of a student who submits the instructor's solutions, except for `replacements`.

    `replacements` maps a grade_id to the source of that answer cell. CourseError if there is no such answer cell.
    """
    source = _read_source_cached(work)
    notebook: NotebookNode = nbformat.from_dict(source.notebook)
    answers = {cell.id: cell for cell in notebook.cells if read_nbgrader_metadata(cell).get("solution")}
    for name in replacements:
        if name not in answers:
            near = get_close_matches(name, list(answers), n=3) or list(answers)
            raise CourseError(f"{source.path}: no answer cell {name!r}; did you mean {', '.join(near)}?")
    for cell in notebook.cells:
        cell["source"] = remove_regions(cell.source, ("MARK SCHEME", "HIDDEN TESTS"))
        if cell.id in replacements:
            cell["source"] = replacements[cell.id]
    return notebook


def read_program(path: Path) -> tuple[str, dict[str, str]]:
    """Read a right or wrong program: its docstring, and grade_id -> source of its `# %% <grade_id>` cells."""
    try:
        text = path.read_text(encoding="utf-8")
        head = text.split("# %%", 1)[0]
        docstring = ast.get_docstring(ast.parse(head))
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise CourseError(f"{path}: cannot be read: {error}") from error
    if not docstring:
        raise CourseError(f"{path}:1: begin with a docstring that says what is right or wrong about the program")
    cells: dict[str, list[str]] = {}
    current: list[str] = []
    markdown = False
    for number, line in enumerate(text.split("\n"), 1):
        header = PROGRAM_CELL.fullmatch(line.rstrip())
        if header:
            name, markdown = header[2].strip(), bool(header[1])
            if not name or name in cells:
                raise CourseError(
                    f"{path}:{number}: begin each cell with `# %% <grade_id>`, and use each grade_id once"
                )
            current = cells[name] = []
        else:
            current.append(re.sub(r"\A# ?", "", line) if markdown else line)
    if not cells:
        raise CourseError(f"{path}: it replaces no cell; add one with the header `# %% <grade_id>`")
    return docstring, {name: "\n".join(lines).strip("\n") for name, lines in cells.items()}

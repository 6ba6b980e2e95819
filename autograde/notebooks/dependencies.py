"""Finds the course files that an assignment's hidden tests import, directly or indirectly."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from autograde.course import Work


def list_check_files(work: Work, names: Sequence[str] = ()) -> list[Path]:
    """Return the hidden tests and all course files that they import, sorted by path; with `names`, of these only.

    A conftest.py always counts, because pytest reads it for every test file.
    """
    found: set[Path] = set()
    tests = work.paths.hidden_tests.glob("*.py")
    waiting = [file for file in tests if not names or file.name in {*names, "conftest.py"}]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _list_imported_files(file, work.course.root)
    return sorted(found)


def _list_imported_files(file: Path, root: Path) -> Iterator[Path]:
    """Yield the course files that `file` imports, including parent packages, because importing runs them."""
    package = file.parent.relative_to(root).parts
    for level, words in _list_imported_names(file, file.stat().st_mtime_ns):
        name = (*package[: len(package) - level + 1], *words) if level else words
        for length in range(1, len(name) + 1):
            path = root.joinpath(*name[:length])
            yield from (each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file())


@lru_cache(maxsize=1024)
def _list_imported_names(file: Path, changed_ns: int) -> list[tuple[int, tuple[str, ...]]]:
    """Return (leading dots, name parts) of each import in `file`.

    An imported name may be a module or an attribute of one; both are returned.
    """
    names: list[tuple[int, tuple[str, ...]]] = []
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # the import itself will report the error and its line
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(0, tuple(alias.name.split("."))) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            names += [(node.level, (*module, alias.name)) for alias in node.names]
    return names

"""Which files of the course the hidden tests of an assignment import, directly or through one another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from autograde.course import Work


def checks_files(work: Work) -> list[Path]:
    """The hidden tests and those parts of the reference that they are built on, in order of their paths."""
    found: set[Path] = set()
    waiting = list(work.paths.hidden_tests.glob("*.py"))
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported(file, work.course.root)
    return sorted(found)


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """The course's own files that `file` imports; packages on the way count, since importing runs them."""
    package = file.parent.relative_to(root).parts
    for level, words in _names(file, file.stat().st_mtime_ns):
        name = (*package[: len(package) - level + 1], *words) if level else words
        for length in range(1, len(name) + 1):
            path = root.joinpath(*name[:length])
            yield from (each for each in (path.with_suffix(".py"), path / "__init__.py") if each.is_file())


@lru_cache(maxsize=1024)
def _names(file: Path, changed_ns: int) -> list[tuple[int, tuple[str, ...]]]:
    """(leading dots, words) of every module that `file` may import; also those that are only names in a module."""
    names: list[tuple[int, tuple[str, ...]]] = []
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):  # whoever imports it says so, and where
        return names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [(0, tuple(alias.name.split("."))) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = tuple(node.module.split(".")) if node.module else ()
            names += [(node.level, (*module, alias.name)) for alias in node.names]
    return names

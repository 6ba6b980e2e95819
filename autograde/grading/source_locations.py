"""Finds where in the course's own code an error was raised: authors did not write the engine or the libraries."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from autograde.course import CourseError, find_root

OTHER_CODE = [
    Path(__file__).parents[1],
    *(Path(path) for name, path in sysconfig.get_paths().items() if name in ("stdlib", "purelib", "platlib")),
]


def find_course_line(error: BaseException) -> str:
    """`folder/file.py:line` of the course's innermost line in the traceback, relative to its root; empty if none."""
    return next((f"{found}:{line}" for path, line in _list_lines(error) if (found := path_in_course(path))), "")


def path_in_course(path: Path) -> str:
    """The path relative to the course's root; empty if the file is not the course's."""
    if not path.is_absolute() or any(path.is_relative_to(other) for other in OTHER_CODE):
        return ""
    try:
        return path.relative_to(find_root(path.parent)).as_posix()
    except (CourseError, ValueError):
        return ""


def _list_lines(error: BaseException) -> Iterator[tuple[Path, int]]:
    """Files and lines of the traceback, innermost first."""
    if isinstance(error, SyntaxError) and error.filename:
        yield Path(error.filename), error.lineno or 1
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield Path(frame.filename), frame.lineno or 1

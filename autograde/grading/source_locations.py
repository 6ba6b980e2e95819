"""Where in the course's own code something went wrong: for an author, who wrote neither the engine nor a library."""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path

from autograde.course import CourseError, find_root

NOT_THE_COURSE = [
    Path(__file__).parents[1],
    *(Path(path) for name, path in sysconfig.get_paths().items() if name in ("stdlib", "purelib", "platlib")),
]


def raised_at(error: BaseException) -> str:
    """`folder/file.py:line` below the course's root, of its line that raised or called what did; empty if none did."""
    return next((f"{found}:{line}" for path, line in _lines(error) if (found := in_course(path))), "")


def in_course(path: Path) -> str:
    """The path below the course's root; empty if it is no file of the course's."""
    if not path.is_absolute() or any(path.is_relative_to(other) for other in NOT_THE_COURSE):
        return ""
    try:
        return path.relative_to(find_root(path.parent)).as_posix()
    except (CourseError, ValueError):
        return ""


def _lines(error: BaseException) -> Iterator[tuple[Path, int]]:
    """Files and lines, the innermost first."""
    if isinstance(error, SyntaxError) and error.filename:
        yield Path(error.filename), error.lineno or 1
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        yield Path(frame.filename), frame.lineno or 1

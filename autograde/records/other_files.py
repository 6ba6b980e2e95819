"""The files next to a graded notebook: other submitted files, and those that come with the assignment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import find_all_files

from autograde.course import Work

READ_ONLY = 0o444
"""nbgrader's permissions for graded files, because manual changes to them would be lost"""


def other_files(work: Work, student: str) -> dict[Path, Path]:
    """Target in autograded/ -> file to copy. The assignment's files replace submitted files of the same name."""
    ignored = [*CourseDirectory().ignore, "*.ipynb"]
    return {
        work.paths.autograded(student) / Path(name).relative_to(folder): Path(name)
        for folder in (work.paths.submitted(student), work.course.stage / work.slug)
        for name in find_all_files(str(folder), ignored)
    }


def copy_files(files: Mapping[Path, Path]) -> None:
    for place, file in files.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        shutil.copyfile(file, place)
        place.chmod(READ_ONLY)


def remove_all_but(wanted: Collection[Path], folder: Path) -> None:
    for place, folders, files in os.walk(folder, topdown=False):
        for file in (Path(place, name) for name in files):
            if file not in wanted:
                file.unlink()
        for within in (Path(place, name) for name in folders):
            if within.is_symlink():
                within.unlink()
            elif not any(within.iterdir()):
                within.rmdir()

"""Writes notebooks made from `source/` to the stage, the folder where nbgrader looks for them."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import nbformat

from autograde.course import CourseError, Work
from autograde.disk import hold_lock, replace_folder, write_atomically
from autograde.notebooks.source import read_source


def stage(work: Work) -> Path:
    """Write the notebook of source/<slug>.py and its data to the stage, and return the notebook's path."""
    with _lock_stage(work):
        return _stage(work)


def _lock_stage(work: Work) -> AbstractContextManager[None]:
    """Lock the stage of one assignment, because several commands may run in a course folder at once."""
    return hold_lock(work.course.stage.parent / f"staging-{work.slug}.lock")


def _stage(work: Work) -> Path:
    source, made = read_source(work), work.course.stage.parent / "staging" / work.slug
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    for name, file in zip(work.assignment.data, work.data, strict=True):
        _copy_data(work, name, file, made)
    write_atomically(made / f"{work.slug}.ipynb", nbformat.writes(source.notebook) + "\n")
    replace_folder(work.course.stage / work.slug, made)
    return work.course.stage / work.slug / f"{work.slug}.ipynb"


def stage_if_stale(work: Work) -> None:
    """Stage if the source has changed since it was last staged, so that nbgrader's own commands find the notebook."""
    if not work.paths.source.exists() or find_staged(work):
        return
    with _lock_stage(work):
        if find_staged(work) is None:
            _stage(work)


def find_staged(work: Work) -> Path | None:
    """Return the staged notebook; None if it is missing or older than the source."""
    made, source = work.course.stage / work.slug / f"{work.slug}.ipynb", work.paths.source
    try:
        return None if made.stat().st_mtime_ns < source.stat().st_mtime_ns else made
    except FileNotFoundError:
        return None


def _copy_data(work: Work, name: str, file: Path, folder: Path) -> None:
    """Copy a data file to `data/` next to the notebook, the same relative path as in `source/`."""
    data = work.course.data
    if not file.resolve().is_relative_to(data.resolve()) or not file.is_file():
        raise CourseError(f"course_config.py: {work.slug}: data file {name!r} is not in {data}; put it there")
    target = folder / "data" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)

"""Puts notebooks made from `source/` where nbgrader looks for them."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat

from autograde.course import Course, CourseError
from autograde.disk import write_whole
from autograde.notebooks.source import read_source


def stage(course: Course, slug: str) -> Path:
    """Write the notebook of source/<slug>.py and its data to the stage, where nbgrader looks. Returns its path."""
    source = read_source(course, slug)
    folder = course.stage / slug
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for name in course.assignment(slug).data:
        _copy_data(course, slug, name, folder)
    notebook = folder / f"{slug}.ipynb"
    write_whole(notebook, nbformat.writes(source.notebook) + "\n")
    return notebook


def stage_if_stale(course: Course, slug: str) -> None:
    """Stage unless that was done after the source last changed, so that stock nbgrader commands find it."""
    if course.paths(slug).source.exists() and staged(course, slug) is None:
        stage(course, slug)


def staged(course: Course, slug: str) -> Path | None:
    """The staged notebook; None if there is none, or the source has changed since."""
    made, source = course.stage / slug / f"{slug}.ipynb", course.paths(slug).source
    try:
        return None if made.stat().st_mtime_ns < source.stat().st_mtime_ns else made
    except FileNotFoundError:
        return None


def _copy_data(course: Course, slug: str, name: str, folder: Path) -> None:
    """The data lies in `data/` beside the notebook, as it does beside the source."""
    data = course.root / "source" / "data"
    file = data / name
    if not file.resolve().is_relative_to(data.resolve()) or not file.is_file():
        raise CourseError(f"course_config.py: {slug}: data file {name!r} is not in {data}; put it there")
    target = folder / "data" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)

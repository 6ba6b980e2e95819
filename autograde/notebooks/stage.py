"""Puts notebooks made from `source/` where nbgrader looks for them."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import nbformat

from autograde.course import Course, CourseError
from autograde.disk import alone, replace_folder, write_whole
from autograde.notebooks.source import read_source


def stage(course: Course, slug: str) -> Path:
    """Write the notebook of source/<slug>.py and its data to the stage, where nbgrader looks. Returns its path."""
    with _alone(course, slug):
        return _stage(course, slug)


def _alone(course: Course, slug: str) -> AbstractContextManager[None]:
    """Several commands may run in one folder, and each stages what is stale."""
    return alone(course.stage.parent / f"staging-{slug}.lock")


def _stage(course: Course, slug: str) -> Path:
    source, made = read_source(course, slug), course.stage.parent / "staging" / slug
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    for name in course.assignment(slug).data:
        _copy_data(course, slug, name, made)
    write_whole(made / f"{slug}.ipynb", nbformat.writes(source.notebook) + "\n")
    replace_folder(course.stage / slug, made)
    return course.stage / slug / f"{slug}.ipynb"


def stage_if_stale(course: Course, slug: str) -> None:
    """Stage unless that was done after the source last changed, so that stock nbgrader commands find it."""
    if not course.paths(slug).source.exists() or staged(course, slug):
        return
    with _alone(course, slug):
        if staged(course, slug) is None:
            _stage(course, slug)


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

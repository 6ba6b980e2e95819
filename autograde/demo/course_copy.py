"""Copies a course without the files that releasing and grading wrote."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from autograde.course import CONFIG_NAME, Course, load_course

FOLDERS = ("source", "hidden_tests", "reference_impl")
OWN_GRADEBOOK = """

# Appended to this copy: a simulated class must never reach the gradebook of the real one.
from dataclasses import replace

COURSE = replace(COURSE, db_url="")
"""


def copy_course(course: Course, into: Path) -> Course:
    """Copy the author's files of `course` to `into` and load the copy, which always has its own gradebook."""
    into.mkdir(parents=True, exist_ok=True)
    for part in list_course_parts(course):
        if part.is_dir():
            shutil.copytree(part, into / part.name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
        else:
            shutil.copy(part, into)
    if course.db_url:
        with (into / CONFIG_NAME).open("a", encoding="utf-8") as config:
            config.write(OWN_GRADEBOOK)
    return load_course(into)


def list_course_parts(course: Course) -> Iterator[Path]:
    """Yield the Python files at the course's root, which the configuration may import, and the author's folders."""
    yield from course.root.glob("*.py")
    yield from (folder for name in FOLDERS if (folder := course.root / name).is_dir())

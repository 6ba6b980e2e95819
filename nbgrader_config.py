"""Hands the course to nbgrader, so that `nbgrader ...` and formgrader work in this folder."""

from pathlib import Path

from autograde.course import load_course
from autograde.notebooks.nbgrader_settings import configure

configure(c, load_course(Path(__file__).parent))  # type: ignore[name-defined]  # noqa: F821

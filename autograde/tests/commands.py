"""Runs the real commands, in a separate process or, if the test does not depend on that, in this one.

A separate process starts as a user's does, and imports torch four times before it grades; this one has imported it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from autograde.cli import main
from autograde.course import Course

ROOT = Path(__file__).parents[2]
Done = subprocess.CompletedProcess[str]


def course_here(course: Course, *words: str) -> Done:
    """Run `course ...` in the course's folder, in this process. Unexpected exceptions propagate."""
    with contextlib.chdir(course.root):
        result = CliRunner().invoke(main, words, catch_exceptions=False)
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


def course_command(course: Course, *words: str) -> Done:
    """Run `course ...` in a separate process, with an environment that does not mention the virtual environment."""
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(course.root), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
    return _done([sys.executable, "-m", "autograde.cli", *words], course, bare)


def nbgrader_command(course: Course, *words: str) -> Done:
    """Run stock `nbgrader ...` in the course's folder, with the project's own nbgrader_config.py."""
    (course.root / "nbgrader_config.py").write_bytes((ROOT / "nbgrader_config.py").read_bytes())
    bin_first = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": bin_first, "PYTHONPATH": str(ROOT)}
    return _done([sys.executable, "-m", "nbgrader", *words], course, environment)


def _done(command: list[str], course: Course, environment: dict[str, str]) -> Done:
    return subprocess.run(command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=300)

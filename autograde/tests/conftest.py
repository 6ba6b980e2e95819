"""Fixtures for the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import settings

from autograde.asking.student import Student
from autograde.course import Limits
from autograde.grading.sandbox import RunningSubmission
from autograde.grading.warm import WarmProcess
from autograde.tests.regraded_class import resubmitted, undisturbed
from autograde.tests.tiny_course import fake_grading, released, released_once, tiny_course

__all__ = ["fake_grading", "released", "released_once", "resubmitted", "tiny_course", "undisturbed"]
settings.register_profile("engine", deadline=None)  # machines are shared: a law that holds slowly holds
settings.load_profile("engine")
LIMITS = Limits(check_cpu_s=5, check_wall_s=5, cell_wall_s=1, notebook_wall_s=8)
Run = Callable[..., RunningSubmission]


@pytest.fixture(scope="session")
def warm() -> Iterator[WarmProcess]:
    with WarmProcess() as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def run(warm: WarmProcess) -> Iterator[Run]:
    """Runs cells in a worker: run("x = 1", "y = x", checks=2, memory_bytes=...)."""
    with ExitStack() as stack:

        def start(*cells: str, checks: int = 2, **limits: float) -> RunningSubmission:
            named = [(f"cell-{number}", source) for number, source in enumerate(cells)]
            bounds = replace(LIMITS, **limits)
            return stack.enter_context(RunningSubmission(warm.control, named, limits=bounds, checks=checks, seed=7))

        yield start


@pytest.fixture
def student_of(run: Run) -> Iterator[Callable[[str], Student]]:
    """A Student of a notebook with this one cell, good for one check."""
    with ExitStack() as stack:

        def start(source: str) -> Student:
            return Student(stack.enter_context(run("import torch\n" + source, checks=1).check(0)), wall_s=5)

        yield start

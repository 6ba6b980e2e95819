"""Fixtures for the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings

from autograde import startup  # noqa: F401  # first
from autograde.client.student import Student
from autograde.course import Limits
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import Zygote
from autograde.tests.checked_course import checked_once
from autograde.tests.fake_grader import fake_grader
from autograde.tests.machine import skip_without
from autograde.tests.regraded_class import resubmitted, undisturbed
from autograde.tests.tiny_course import released, released_once, tiny_course

__all__ = ["checked_once", "fake_grader", "released", "released_once", "resubmitted", "tiny_course", "undisturbed"]
settings.register_profile("engine", deadline=None)  # machines are shared, so a slow example is not a failure
settings.load_profile("engine")
LIMITS = Limits(check_cpu_s=60, check_wall_s=60, cell_wall_s=30, notebook_wall_s=60)
"""Far more than any test takes, even on a busy machine; a test of a limit sets its own small limit."""
Run = Callable[..., RunningSubmission]


class SharedZygote(Zygote):
    """A zygote that several tests share."""

    def close(self) -> None:
        """Do nothing: `shared_zygote` ends the zygote."""


@pytest.fixture(scope="session", autouse=True)
def shared_zygote() -> Iterator[Callable[..., Zygote]]:
    """Share one zygote for each list of modules among this process's grader pools: starting one takes seconds."""
    shared: dict[tuple[str, ...], SharedZygote] = {}

    def share(modules: tuple[str, ...] = ()) -> Zygote:
        if modules not in shared:
            shared[modules] = SharedZygote(modules)
        return shared[modules]

    with pytest.MonkeyPatch.context() as patch:
        for user in ("autograde.grading.pool", "autograde.cli.doctor"):
            patch.setattr(f"{user}.Zygote", share)
        yield share
    for process in shared.values():
        Zygote.close(process)


@pytest.fixture(scope="session")
def zygote(shared_zygote: Callable[..., Zygote]) -> Zygote:
    process = shared_zygote()
    process.wait_until_ready()
    return process


@pytest.fixture
def run(zygote: Zygote) -> Iterator[Run]:
    """Runs cells in a confined worker: run("x = 1", "y = x", checks=2, memory_bytes=...)."""
    skip_without("confinement")
    with ExitStack() as stack:

        def start(*cells: str, checks: int = 2, **limits: Any) -> RunningSubmission:
            named = [(f"cell-{number}", source) for number, source in enumerate(cells)]
            bounds = replace(LIMITS, **limits)
            return stack.enter_context(RunningSubmission(zygote.control, named, limits=bounds, checks=checks, seed=7))

        yield start


@pytest.fixture
def student_of(run: Run) -> Iterator[Callable[..., Student]]:
    """A Student of a notebook with this one cell, for one check of at most `wall_s` seconds."""
    with ExitStack() as stack:

        def start(source: str, wall_s: float = LIMITS.check_wall_s) -> Student:
            return Student(stack.enter_context(run("import torch\n" + source, checks=1).check(0)), wall_s=wall_s)

        yield start

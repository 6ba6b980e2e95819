"""What a grader knows before its first submission: what an earlier run of the same tests found out, or drawn now."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from typing import Any

import hypothesis
import numpy as np
import torch

from autograde.course import Course
from autograde.disk import replacing
from autograde.grading import cached_values
from autograde.grading.digests import Options, checks_digest, digest_of_parts, engine_digest
from autograde.report import Outcome, Report
from autograde.testing.checks import Check
from autograde.testing.oracle import Oracle


class CheckCache:
    """The checks and oracles of collected tests, and the file that knows of them."""

    def __init__(self, course: Course, slug: str, items: list[Any], checks: str, device: str) -> None:
        """`checks` is the digest of the tests that were collected as `items`."""
        self.course, self.slug, self.digest = course, slug, checks
        self.path = course.paths(slug).prepared / f"{_name(course, checks, device)}.checks"
        self.checks: dict[str, Check] = {f"{item.path.stem}.{item.obj.check.name}": item.obj.check for item in items}
        self.oracles = {
            f"{item.path.stem}.{name}": thing
            for item in items
            for name, thing in vars(item.module).items()
            if isinstance(thing, Oracle)
        }
        self.complete = self._read()
        for check in self.checks.values():
            with contextlib.suppress(Exception):  # met again, and told, by the check
                check.draw(course.seed)

    def learn(self, report: Report, options: Options) -> None:
        """Keep what a submission that passed everything has shown to be asked and expected, for the next run.

        A disk that refuses costs that run some seconds, and nobody a grade.
        """
        whole = not options.exercises and not options.decoy and options.seed is None
        if self.complete or not whole or not all(verdict.outcome is Outcome.PASSED for verdict in report.verdicts):
            return
        self.complete = True
        if not self.path.exists() and checks_digest(self.course, self.slug) == self.digest:
            with contextlib.suppress(OSError):
                self._write()

    def _read(self) -> bool:
        try:
            data = self.path.read_bytes()
        except OSError:
            return False
        return cached_values.apply(data, self.checks, self.oracles, self.course.seed)

    def _write(self) -> None:
        data = cached_values.found(self.checks, self.oracles, self.course.seed)
        # Several graders may come to this at once, each with a file of its own until it is whole.
        unfinished = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        with replacing(self.path, data, unfinished=unfinished):
            for other in set(self.path.parent.iterdir()) - {unfinished}:  # of other tests, or of a run that was killed
                other.unlink(missing_ok=True)


def _name(course: Course, checks: str, device: str) -> str:
    """A digest of all that decides what the checks ask and expect: the tests, by theirs, and what computes here."""
    machine = platform.machine(), torch.backends.cpu.get_cpu_capability()
    made_with = sys.version, str(torch.__version__), hypothesis.__version__, np.__version__
    return digest_of_parts([checks, engine_digest(), repr((course.seed, device, machine, made_with))])

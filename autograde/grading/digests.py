"""Digests of everything that a report depends on: equal digests mean an equal report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import msgspec

from autograde.course import Work
from autograde.notebooks.dependencies import checks_files
from autograde.notebooks.extract import Submission

ENGINE = Path(__file__).parents[1]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report depends on, as digests. Equal versions give equal reports."""

    submission: str
    checks: str
    """the hidden tests and what they import of the reference"""
    policies: str
    engine: str

    @property
    def digest(self) -> str:
        return digest_of_parts([self.submission, self.checks, self.policies, self.engine])


def version_of(work: Work, submission: Submission, checks: str | None = None) -> Version:
    """What grading `submission` now would be made with; `checks` if its tests were read earlier."""
    course = work.course
    policies = (course.seed, course.reveal, work.limits, course.device, course.experiments)
    return Version(
        submission=digest_of_parts([submission.sha256, repr(submission.cells), repr(sorted(submission.experiments))]),
        checks=checks or checks_digest(work),
        policies=digest_of_parts([repr(policies)]),
        engine=engine_digest(),
    )


def digest_of(work: Work, submission: Submission, checks: str | None = None) -> str:
    return version_of(work, submission, checks).digest


def checks_digest(work: Work) -> str:
    """Of the hidden tests and what they import of the reference, as they are on disk."""
    return _files_digest(checks_files(work), work.course.root)


@cache
def engine_digest() -> str:
    """Of the engine, once: what a process runs is what it imported."""
    files = (file for file in ENGINE.rglob("*.py") if "tests" not in file.relative_to(ENGINE).parts)
    return _files_digest(files, ENGINE)


def _files_digest(files: Iterable[Path], root: Path) -> str:
    return digest_of_parts(
        [part for file in sorted(files) for part in (str(file.relative_to(root)), file.read_bytes())]
    )


def digest_of_parts(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()

"""Digests of everything that a report depends on: equal digests mean an equal report."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import msgspec

from autograde.course import Work
from autograde.notebooks.dependencies import list_check_files
from autograde.notebooks.extract import Fingerprint

ENGINE = Path(__file__).parents[1]
READERS = ("jupytext", "nbformat")
"""packages that read submitted files"""


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report depends on, as digests. Equal versions give equal reports."""

    submission: str
    """the submitted file"""
    release: str = ""
    """the released notebook against which the submission was repaired; empty in entries older than this field"""
    checks: str
    """the hidden tests and what they import from the reference"""
    policies: str
    engine: str

    @property
    def digest(self) -> str:
        return hash_parts([self.submission, self.release, self.checks, self.policies, self.engine])


def compute_version(work: Work, fingerprint: Fingerprint, checks: str | None = None) -> Version:
    """The version that grading now would use; `checks` is the digest of the tests if they were read earlier."""
    return Version(
        submission=hash_parts([fingerprint.suffix, fingerprint.file]),
        release=fingerprint.release,
        checks=checks or hash_checks(work),
        policies=hash_policies(work),
        engine=hash_engine(),
    )


def compute_digest(work: Work, fingerprint: Fingerprint, checks: str | None = None) -> str:
    return compute_version(work, fingerprint, checks).digest


def hash_policies(work: Work) -> str:
    course = work.course
    return hash_parts([repr((course.seed, course.reveal, work.limits, course.device, course.experiments))])


def hash_checks(work: Work, names: Sequence[str] = ()) -> str:
    """Digest of the hidden tests and of what they import from the reference, as they are on disk.

    With `names`, of these test files alone and what they import.
    """
    return _files_digest(list_check_files(work, names), work.course.root)


@cache
def hash_engine() -> str:
    """Digest of the engine and of READERS; computed once, because a process runs the code that it imported."""
    files = (file for file in ENGINE.rglob("*.py") if "tests" not in file.relative_to(ENGINE).parts)
    return hash_parts([_files_digest(files, ENGINE), *(f"{name} {version(name)}" for name in READERS)])


def _files_digest(files: Iterable[Path], root: Path) -> str:
    return hash_parts([part for file in sorted(files) for part in (str(file.relative_to(root)), file.read_bytes())])


def hash_parts(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()

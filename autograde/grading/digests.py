"""What one grading is of: the submission, the options of the run, and the digest of all that its report depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from autograde.course import Course
from autograde.notebooks.dependencies import checks_files
from autograde.notebooks.extract import Submission, from_notebook, read_submission

ENGINE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """run checks that would wait, as `course verify` does to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    decoy: str = ""
    """answers in the place of the submission's: one of `verify`'s fools, or the holder of the misconception so named"""


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


def version_of(course: Course, submission: Submission, checks: str | None = None) -> Version:
    """What grading `submission` now would be made with; `checks` if its tests were read earlier."""
    policies = (course.seed, course.reveal, course.limits_of(submission.slug), course.device, course.experiments)
    return Version(
        submission=digest_of_parts([submission.sha256, repr(submission.cells), repr(sorted(submission.experiments))]),
        checks=checks or checks_digest(course, submission.slug),
        policies=digest_of_parts([repr(policies)]),
        engine=engine_digest(),
    )


def digest_of(course: Course, submission: Submission, checks: str | None = None) -> str:
    return version_of(course, submission, checks).digest


def checks_digest(course: Course, slug: str) -> str:
    """Of the hidden tests and what they import of the reference, as they are on disk."""
    return _files_digest(checks_files(course, slug), course.root)


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


def submission_for(course: Course, slug: str, file: str | None = None) -> Submission:
    """`file` as a submission, or the instructor's own solution, to what the source is now."""
    if file is None:
        from autograde.notebooks.release import draft  # brings jupytext, which a notebook does not need

        return solution_of(course, slug, draft(course, slug))
    released = released_notebook(course, slug)
    return read_submission(Path(file), released, Path(file).stem, slug, course.limits_of(slug).notebook_bytes)


def solution_of(course: Course, slug: str, drafted: Path) -> Submission:
    """The instructor's own solution, handed in to `drafted`: a release may be older than what the source says now."""
    from autograde.notebooks.release import assemble

    return from_notebook(assemble(course, slug, {}), drafted, "instructor", slug)


def released_notebook(course: Course, slug: str) -> Path:
    """The released notebook, or a draft of it while the assignment has not been released."""
    released = course.paths(slug).released_notebook
    if not released.exists():
        from autograde.notebooks.release import draft

        return draft(course, slug)
    return released

"""What one grading is of: the submission, the options of the run, and the digest of all that its report depends on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from autograde.course import Course
from autograde.extract import Submission, from_notebook, read_submission
from autograde.release import assemble, draft

ENGINE = Path(__file__).parent


@dataclass(frozen=True)
class Options:
    """How one grading run differs from the course's defaults."""

    ignore_after: bool = False
    """run checks that would wait, as `course verify` does to see what each check catches by itself"""
    seed: int | None = None
    exercises: frozenset[str] = frozenset()
    """run the checks of these exercises only; none means all"""
    fool: str = ""
    """answers in the place of the submission's: one of `verify`'s fools, or the holder of the misconception so named"""


def digest_of(course: Course, submission: Submission) -> str:
    """Of everything that a report depends on: submission, tests, reference, engine and policies."""
    paths = course.paths(submission.slug)
    digest = hashlib.sha256(submission.sha256.encode())
    files = [*paths.hidden_tests.glob("*.py"), *(course.root / "reference_impl").glob("*.py"), *ENGINE.rglob("*.py")]
    for file in sorted(file for file in files if "tests" not in file.relative_to(file.anchor).parts[-2:-1]):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    policies = (course.seed, course.reveal, course.limits_of(submission.slug), course.device)
    digest.update(repr(policies).encode() + repr(submission.cells).encode())
    return digest.hexdigest()


def submission_for(course: Course, slug: str, file: str | None = None) -> Submission:
    """`file` as a submission, or the instructor's own solution."""
    released = released_notebook(course, slug)
    if file is None:
        return from_notebook(assemble(course, slug, {}), released, "instructor", slug)
    return read_submission(Path(file), released, Path(file).stem, slug, course.limits_of(slug).notebook_bytes)


def released_notebook(course: Course, slug: str) -> Path:
    """The released notebook, or a draft of it while the assignment has not been released."""
    released = course.paths(slug).released_notebook
    return released if released.exists() else draft(course, slug)

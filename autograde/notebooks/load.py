"""Any file as a submission, and the instructor's own solution as one."""

from __future__ import annotations

from pathlib import Path

from autograde.course import Work
from autograde.notebooks.extract import Submission, from_notebook, read_submission


def submission_for(work: Work, file: str | None = None) -> Submission:
    """`file` as a submission, or the instructor's own solution, to what the source is now."""
    if file is None:
        from autograde.notebooks.release import draft  # brings jupytext, which a notebook does not need

        return solution_of(work, draft(work))
    released = released_notebook(work)
    return read_submission(Path(file), released, Path(file).stem, work.slug, work.limits.notebook_bytes)


def solution_of(work: Work, drafted: Path) -> Submission:
    """The instructor's own solution, submitted to `drafted`: a release may be older than what the source says now."""
    from autograde.notebooks.release import assemble

    return from_notebook(assemble(work, {}), drafted, "instructor", work.slug)


def released_notebook(work: Work) -> Path:
    """The released notebook, or a draft of it while the assignment has not been released."""
    released = work.paths.released_notebook
    if not released.exists():
        from autograde.notebooks.release import draft

        return draft(work)
    return released

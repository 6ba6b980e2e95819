"""Loads a file, or the instructor's solution, as a submission."""

from __future__ import annotations

from pathlib import Path

from autograde.course import Work
from autograde.notebooks.extract import Submission, read_submission, submission_from_notebook


def load_submission(work: Work, file: str | None = None) -> Submission:
    """Load `file` as a submission; without it, the instructor's solution in the current source."""
    if file is None:
        from autograde.notebooks.release import draft  # imports jupytext, which reading a notebook does not need

        return load_solution(work, draft(work))
    released = find_released_notebook(work)
    return read_submission(Path(file), released, Path(file).stem, work.slug, work.limits.notebook_bytes)


def load_solution(work: Work, drafted: Path) -> Submission:
    """Submit the instructor's solution to the notebook `drafted`, because the release may be older than the source."""
    from autograde.notebooks.release import assemble

    return submission_from_notebook(assemble(work, {}), drafted, "instructor", work.slug)


def find_released_notebook(work: Work) -> Path:
    """Return the released notebook, or a draft if the assignment is not released yet."""
    released = work.paths.released_notebook
    if not released.exists():
        from autograde.notebooks.release import draft

        return draft(work)
    return released

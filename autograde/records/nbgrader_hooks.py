"""The plug-ins that nbgrader loads, so that its stock commands and formgrader use our reports.

nbgrader's own grading fails open and runs students' code in the grader's account. With these plug-ins no submitted code
reaches its kernel: `extract` reads notebooks, scores come from a `Report`, and students' content is sanitized.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import NbGraderPreprocessor

from autograde.course import CourseError, Work
from autograde.notebooks.extract import Submission
from autograde.notebooks.nbgrader_settings import load_course_here
from autograde.notebooks.repair import is_locked
from autograde.notebooks.source import CHECKS
from autograde.notebooks.submitted import read_submitted
from autograde.pages.display import neutralize_markdown, sanitize_outputs
from autograde.pages.feedback import format_exercise, render_exercise
from autograde.records.database import CourseGradebook
from autograde.report import ExerciseReport, Outcome, Report

AS_HANDED_IN = {
    "output_type": "stream",
    "name": "stdout",
    "text": "[As handed in. Grading did not run this cell again: no points depend on it.]\n",
}


class UngradedError(Exception):
    """This submission gets no score now; the message says why. nbgrader logs it and continues with the next student."""


def load_or_grade(work: Work, submission: Submission, checks: str | None = None) -> Report:
    """The stored report if it is of exactly this submission, tests and engine, else a new one.

    `checks` is the tests' digest, if it has been computed.
    """
    from autograde.grading import digests, pool_cache
    from autograde.records import audit_log

    stored = audit_log.read_stored_report(work.paths.report(submission.student))
    version = digests.compute_version(work, submission.fingerprint, checks)
    if stored and stored.digest == version.digest:
        return stored
    report = pool_cache.grade_one(work, submission)
    audit_log.store_report(work, report, version)
    return report


def _named(resources: Any) -> tuple[Work, str]:
    """The assignment and the student that nbgrader's converter is processing."""
    names = resources["nbgrader"]
    return load_course_here().open(names["assignment"]), names["student"]


class SubmissionExporter(NotebookExporter):
    """Reads submissions through `extract`, so that no damaged file ever reaches nbformat or nbgrader."""

    def from_filename(self, filename: str, resources: Any = None, **kwargs: Any) -> Any:
        work, student = _named(resources)
        if Path(filename).parent.resolve() != work.paths.submitted(student).resolve():
            return super().from_filename(filename, resources=resources, **kwargs)
        submission = read_submitted(work, student)
        exported = self.from_notebook_node(submission.notebook, resources=resources, **kwargs)  # type: ignore[no-untyped-call]
        return exported


def checked_report(work: Work, submission: Submission, checks: str | None = None) -> Report:
    """The submission's report; raises UngradedError if the report must not become a grade."""
    report = load_or_grade(work, submission, checks)
    if report.withheld:
        broken = next(verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN)
        raise UngradedError(
            f"{submission.student}: the report is withheld because check {broken.check!r} is broken, which is our "
            f"fault: {broken.reason or 'no reason given'}. Mend the check and grade again; no grade was changed."
        )
    return report


class IsolatedGrade(NbGraderPreprocessor):  # type: ignore[misc]
    """Replaces nbgrader's Execute: puts scores and outputs from the Report into the notebook."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        work, student = _named(resources)
        fill(nb, checked_report(work, read_submitted(work, student)))
        return nb, resources


def fill(notebook: NotebookNode, report: Report) -> None:
    """Give each code cell its outputs: the score for grade cells, the worker's sanitized outputs for others."""
    exercises = {exercise.exercise: exercise for exercise in report.exercises}
    outputs = {cell.cell: cell.outputs if cell.ran else [AS_HANDED_IN, *cell.outputs] for cell in report.cells}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        metadata = cell.metadata.get("nbgrader", {})
        if metadata.get("grade") and not metadata.get("solution"):
            cell["outputs"] = grade_outputs(_exercise(metadata, exercises), float(metadata["points"]))
        else:
            cell["outputs"] = sanitize_outputs(outputs.get(cell.id, []))


def grade_outputs(exercise: ExerciseReport, points: float) -> list[Any]:
    """The two outputs of a graded cell: the report for people, and the score for nbgrader."""
    score = min(max(exercise.score, 0.0), points)
    shown = {"text/html": render_exercise(exercise), "text/plain": format_exercise(exercise)}
    return [
        nbformat.from_dict({"output_type": "display_data", "data": shown, "metadata": {}}),
        nbformat.from_dict(
            {"output_type": "execute_result", "data": {"text/plain": repr(float(score))}, "metadata": {},
             "execution_count": None}
        ),
    ]  # fmt: skip


def _exercise(metadata: Any, exercises: dict[str, ExerciseReport]) -> ExerciseReport:
    """The cell's part of the report. UngradedError for a cell without one, which nbgrader would give full marks."""
    name = metadata["grade_id"].removesuffix(CHECKS)
    exercise = exercises.get(name)
    if exercise is None or not exercise.verdicts:
        raise UngradedError(f"the report holds no checks of exercise {name!r}; grade again with `course grade --force`")
    if abs(exercise.max_score - float(metadata["points"])) > 1e-6:
        raise UngradedError(
            f"exercise {name!r}: its checks add up to {exercise.max_score:g} points, its cell says "
            f"{float(metadata['points']):g}; make them equal in source/, release again, then grade again"
        )
    return exercise


class NeutralizeMarkup(NbGraderPreprocessor):  # type: ignore[misc]
    """Makes HTML in the student's prose show as text, because formgrader always renders it unsanitized."""

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        if cell.cell_type != "code" and not is_locked(cell):
            cell["source"] = neutralize_markdown(cell.source)
        return cell, resources


class SetDueDate(NbGraderPreprocessor):  # type: ignore[misc]
    """Sets the gradebook's due date, and the student's extension if there is one, to the course's values."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        work, student = _named(resources)
        set_due_date(work)
        set_extension(work, student)
        return nb, resources


_DUE_WRITTEN: dict[tuple[str, str], Any] = {}


def set_due_date(work: Work) -> None:
    """Write the due date to the gradebook, once per process and date."""
    due = work.due
    naive = due.replace(tzinfo=None) if due else None
    key = (work.course.gradebook_url, work.slug)
    if key in _DUE_WRITTEN and _DUE_WRITTEN[key] == naive:
        return
    with CourseGradebook(work.course) as gradebook:
        assignment = gradebook.find_assignment(work.slug)
        if assignment.duedate != naive:
            assignment.duedate = naive
            gradebook.db.commit()
    _DUE_WRITTEN[key] = naive


def set_extension(work: Work, student: str) -> None:
    """Write the extension that the course grants; keeps an extension that only the gradebook has."""
    granted = work.extensions.get(student)
    if granted is None:
        return
    with CourseGradebook(work.course) as gradebook:
        submission = gradebook.find_submission(work.slug, student)
        if submission.extension != granted:
            submission.extension = granted
            gradebook.db.commit()


class RefuseLeaks(NbGraderPreprocessor):  # type: ignore[misc]
    """The last step of generate_assignment: keeps nbgrader's stock command from releasing a solution."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        from autograde.notebooks.leaks import find_leaks_in_texts

        work, _ = _named(resources)
        found = find_leaks_in_texts(work, {f"{work.slug}.ipynb": "\n".join(cell.source for cell in nb.cells)})
        if found:
            raise CourseError(f"{work.slug} is not released: " + "; ".join(found[:5]))
        return nb, resources


class CourseLate(LateSubmissionPlugin):  # type: ignore[misc]
    """The course's policy for late work."""

    def late_submission_penalty(self, student_id: str, score: float, total_seconds_late: float) -> float | None:
        return load_course_here().late.penalty(score, total_seconds_late) or None

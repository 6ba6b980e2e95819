"""The `course` command. Exit status: 0 done, 1 something is not sound or not graded, 2 a mistake in the command or course."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from autograde.course import Course, CourseError, load_course

console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)
SYMBOLS = {"passed": "✓", "failed": "✗", "crashed": "!", "timed out": "⏱", "waiting": "…", "broken": "?"}


@click.group()
def main() -> None:
    """An autograded course: release assignments, grade submissions, write feedback."""


def command(function: Callable[..., Any]) -> click.Command:
    """A subcommand that is given the course; a CourseError becomes one sentence and exit status 2."""

    def run(**options: Any) -> None:
        try:
            function(load_course(), **options)
        except CourseError as error:
            complaints.print(f"[bold]error:[/] {error}", markup=True)
            sys.exit(2)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return main.command()(run)


def _slugs(course: Course, slugs: tuple[str, ...]) -> list[str]:
    return [course.assignment(slug).slug for slug in slugs] or course.slugs


@command
@click.argument("slugs", nargs=-1)
@click.option("--jobs", type=int, default=None, help="processes; default: one per core")
def verify(course: Course, slugs: tuple[str, ...], jobs: int | None) -> None:
    """Say whether assignments are sound: right programs pass, wrong ones are caught and named."""
    from autograde.grading import default_jobs
    from autograde.verify import verify as verified

    sound = True
    for slug in _slugs(course, slugs):
        found = verified(course, slug, jobs or default_jobs())
        _print_kills(found)
        for problem in found.problems:
            complaints.print(f"{slug}: {problem}", markup=False)
        state = "sound" if found.sound else f"{len(found.problems)} problems"
        console.print(f"{slug}: {len(found.right)} right, {len(found.kills)} wrong programs: {state}\n", markup=False)
        sound = sound and found.sound
    sys.exit(0 if sound else 1)


def _print_kills(found: Any) -> None:
    for index, title in enumerate(found.checks):
        console.print(f"{index:3d}  {title}", markup=False)
    width = max(map(len, found.kills), default=0)
    for name, caught in found.kills.items():
        row = " ".join("✗" if index in caught else "·" for index in range(len(found.checks)))
        console.print(f"{name:{width}}  {row}", markup=False, soft_wrap=True)
    for title in found.redundant:
        console.print(f"no wrong program is caught by this check alone: {title}", markup=False)


@command
@click.argument("slugs", nargs=-1)
def release(course: Course, slugs: tuple[str, ...]) -> None:
    """Write release/<slug>/ through nbgrader, and check that no solution leaks."""
    from autograde.release import release as released

    for path in released(course, _slugs(course, slugs)):
        console.print(f"released {path}", markup=False)


@command
@click.argument("slug")
@click.option("--student", "students", multiple=True, help="only this student; may be repeated")
@click.option("--jobs", type=int, default=None, help="processes; default: one per core")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default=None)
@click.option("--force", is_flag=True, help="grade again even what has not changed")
def grade(course: Course, slug: str, students: tuple[str, ...], jobs: int | None, device: str | None, force: bool) -> None:
    """Grade submitted/<student>/<slug>/ into reports/, autograded/ and the gradebook."""
    from autograde.grade import grade_class

    result = grade_class(course, slug, students or None, jobs=jobs, device=device, force=force)
    for student, error in result.errors.items():
        complaints.print(f"{student}: not graded: {error}", markup=False)
    _print_class(course, slug, result)
    sys.exit(1 if result.errors else 0)


def _print_class(course: Course, slug: str, result: Any) -> None:
    table = Table(title=f"{course.assignment(slug).title}: {len(result.reports)} graded")
    for column in ("student", "score", "checks", "first thing to say"):
        table.add_column(column)
    for student, report in sorted(result.reports.items()):
        marks = "".join(SYMBOLS[verdict.outcome.value] for verdict in report.verdicts)
        table.add_row(student, f"{report.score:g} / {report.max_score:g}", marks, _first_words(report))
    console.print(table)


def _first_words(report: Any) -> str:
    from rich.markup import escape

    lost = [verdict for verdict in report.verdicts if verdict.outcome.value not in ("passed", "waiting")]
    return escape((lost[0].hint or lost[0].reason)[:90]) if lost else ""


@command
@click.argument("slug")
def feedback(course: Course, slug: str) -> None:
    """Write feedback/<student>/<slug>/<slug>.html for everyone graded."""
    from autograde.feedback import write_feedback

    errors = write_feedback(course, course.assignment(slug).slug)
    for student, error in errors.items():
        complaints.print(f"{student}: no feedback: {error}", markup=False)
    console.print(f"feedback is in {course.root / 'feedback'}", markup=False)
    sys.exit(1 if errors else 0)


@command
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--assignment", "slug", required=True)
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def check(course: Course, file: str, slug: str, as_json: bool) -> None:
    """Grade one file now, without a gradebook, and print the verdicts."""
    from autograde.extract import SubmissionError
    from autograde.feedback import exercise_text
    from autograde.grading import grade_one, submission_for
    from autograde.report import encode_report

    course.assignment(slug)
    try:
        report = grade_one(course, submission_for(course, slug, file))
    except SubmissionError as error:
        raise CourseError(f"{file}: {error}") from None
    if as_json:
        click.echo(encode_report(report), nl=False)
    else:
        for problem in report.problems:
            console.print(problem, markup=False)
        for exercise in report.exercises:
            console.print(exercise_text(exercise), markup=False)
    sys.exit(1 if report.withheld else 0)


@command
@click.option("--into", default="demo", help="folder for the demo's own course and class")
def demo(course: Course, into: str) -> None:
    """Run a simulated class from release to feedback, in a folder of its own."""
    sys.exit(subprocess.call([sys.executable, str(course.root / "tools" / "simulate_class.py"), into]))


@command
def doctor(course: Course) -> None:
    """Say what this machine has."""
    import importlib.metadata

    import torch

    for package in ("nbgrader", "torch", "jupytext", "hypothesis", "pytest", "notebook"):
        console.print(f"{package}: {importlib.metadata.version(package)}", markup=False)
    console.print(f"CUDA: {torch.cuda.get_device_name() if torch.cuda.is_available() else 'none'}", markup=False)
    children = Path(f"/proc/self/task/{Path('/proc/thread-self').resolve().name}/children").exists()
    console.print(f"process tree visible (needed to end submissions for certain): {'yes' if children else 'NO'}")
    console.print("confinement: process border and resource limits; files and network are not yet confined")
    console.print(f"course: {course.name}, {len(course.slugs)} assignments, {course.root}", markup=False)


if __name__ == "__main__":
    main()

"""Commands of a running term: collect, grade, tell."""

from __future__ import annotations

import sys

import click

from autograde.cli.command import JOBS, JSON, command
from autograde.course import Course


@command
@click.argument("slug")
@click.option("--student", "students", multiple=True, help="only this student; may be repeated")
@JOBS
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default=None, help="default: the course's")
@click.option("--force", is_flag=True, help="grade again even what has not changed")
@JSON
def grade(
    course: Course,
    slug: str,
    students: tuple[str, ...],
    jobs: int | None,
    device: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Grade submitted/<student>/<slug>/ into reports/, autograded/ and the gradebook.

    Example: course grade rmsnorm --student ada
    """
    from autograde.console import class_data, progress, say_class, say_json
    from autograde.grade import grade_class

    with progress(slug) as told:
        result = grade_class(course, slug, students or None, jobs=jobs, device=device, force=force, told=told)
    if as_json:
        say_json(class_data(slug, result))
    else:
        say_class(course.assignment(slug).title, result)
    sys.exit(1 if result.errors else 0)


@command
@click.argument("slug")
def feedback(course: Course, slug: str) -> None:
    """Write feedback/<student>/<slug>/<slug>.html for everyone graded.

    Example: course feedback rmsnorm
    """
    from autograde.console import complain, say
    from autograde.gradebook import write_feedback

    errors = write_feedback(course, course.assignment(slug).slug)
    for student, error in errors.items():
        complain(f"{student}: no feedback: {error}")
    say(f"feedback is in {course.root / 'feedback'}")
    sys.exit(1 if errors else 0)


@command
@click.argument("slug")
def report(course: Course, slug: str) -> None:
    """Write reports/<slug>.html for the TAs: scores, hard checks, wrong ideas and who holds them; and a .csv.

    Example: course report rmsnorm
    """
    from autograde.class_report import write_class_report
    from autograde.console import say

    for path in write_class_report(course, course.assignment(slug).slug):
        say(path)


@command
@click.option("--to", default="grades.csv", type=click.Path(dir_okay=False), help="the file to write")
def export(course: Course, to: str) -> None:
    """Write everyone's scores of every assignment as CSV, through nbgrader's exporter.

    Example: course export --to grades.csv
    """
    from autograde.console import say
    from autograde.gradebook import export_grades

    export_grades(course, to)
    say(f"grades are in {to}")

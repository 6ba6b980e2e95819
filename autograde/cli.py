"""The `course` command. Exit status: 0 done, 1 not sound or not graded, 2 a mistake in the command or course."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from autograde.course import Course, CourseError, load_course
from autograde.disk import obstacle

JOBS = click.option("--jobs", type=click.IntRange(1), default=None, help="processes; default: one per core")
JSON = click.option("--json", "as_json", is_flag=True, help="print JSON for a program, and nothing else")


@click.group()
def main() -> None:
    """An autograded course: release assignments, grade submissions, write feedback.

    Run it in the course's folder or below. Exit status: 0 done, 1 something is not sound or not graded, 2 a mistake in
    the command or in the course.
    """


def command(function: Callable[..., Any]) -> click.Command:
    """A subcommand that is given the course; a CourseError or a refusing disk becomes one sentence and status 2."""

    def run(**options: Any) -> None:
        try:
            function(load_course(), **options)
        except CourseError as error:
            _refuse(str(error))
        except OSError as error:
            if (why := obstacle(error)) is None:
                raise
            _refuse(why)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return main.command()(run)


def _refuse(why: str) -> NoReturn:
    click.echo(f"error: {why}", err=True)
    sys.exit(2)


def _slugs(course: Course, slugs: tuple[str, ...]) -> list[str]:
    return [course.assignment(slug).slug for slug in slugs] or course.slugs


@command
@click.argument("slug")
@click.option("--title", required=True, help="what students read, for example 'RoPE'")
def new(course: Course, slug: str, title: str) -> None:
    """Write a small assignment that is already sound, to turn into your own.

    Example: course new rope --title "Rotary positions"
    """
    from autograde.console import say
    from autograde.new import new_assignment

    for path in new_assignment(course, slug, title):
        say(path.relative_to(course.root))
    say(f"Write your own exercise there, then: course verify {slug}")


@command
@click.argument("slugs", nargs=-1)
@JOBS
@click.option("--seeds", type=click.IntRange(1), default=1, help="so many course seeds for the right programs")
@click.option(
    "--every-check", is_flag=True, help="let wrong programs meet the checks of all exercises, not only theirs"
)
@JSON
def verify(
    course: Course, slugs: tuple[str, ...], jobs: int | None, seeds: int, every_check: bool, as_json: bool
) -> None:
    """Say whether assignments are sound: right programs pass, wrong ones are caught and named.

    Example: course verify rmsnorm --seeds 20
    """
    from autograde.console import progress, say_json, say_verification, verification_data
    from autograde.pool import default_jobs
    from autograde.verify import verify as verified

    found = []
    for slug in _slugs(course, slugs):
        with progress(slug) as told:
            jobs = jobs or default_jobs()
            found.append(verified(course, slug, jobs, seeds=seeds, every_check=every_check, told=told))
        if not as_json:
            say_verification(found[-1])
    if as_json:
        say_json([verification_data(each) for each in found])
    sys.exit(0 if all(each.sound for each in found) else 1)


@command
@click.argument("slugs", nargs=-1)
@JSON
def release(course: Course, slugs: tuple[str, ...], as_json: bool) -> None:
    """Write release/<slug>/ through nbgrader, and check that no solution leaks.

    Example: course release rmsnorm
    """
    from autograde.console import say, say_json
    from autograde.release import release as released

    paths = released(course, _slugs(course, slugs))
    if as_json:
        say_json([str(path) for path in paths])
    else:
        for path in paths:
            say(f"released {path}")


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
    from autograde.console import class_data, complain, progress, say_class, say_json
    from autograde.grade import grade_class

    with progress(slug) as told:
        result = grade_class(
            course, slug, students or None, jobs=jobs, device=device, force=force, told=told, announced=complain
        )
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
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--assignment", "slug", required=True, help="whose checks to run")
@JSON
def check(course: Course, file: str, slug: str, as_json: bool) -> None:
    """Grade one file now, without a gradebook, and print the verdicts.

    Example: course check ~/Downloads/rmsnorm.ipynb --assignment rmsnorm
    """
    from autograde.console import say
    from autograde.extract import SubmissionError
    from autograde.feedback import exercise_text
    from autograde.grading import submission_for
    from autograde.pool import grade_one
    from autograde.report import encode_report

    course.assignment(slug)
    try:
        report = grade_one(course, submission_for(course, slug, file))
    except SubmissionError as error:
        raise CourseError(f"{file}: {error}") from None
    if as_json:
        click.echo(encode_report(report), nl=False)
    else:
        for text in (*report.problems, *map(exercise_text, report.exercises)):
            say(text)
    sys.exit(1 if report.withheld else 0)


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


@command
@click.argument("slugs", nargs=-1)
@click.option("--into", default="demo", help="folder for the demo's own course and class")
@click.option("--wrong", type=click.IntRange(0), default=8, help="at most so many wrong programs for each assignment")
def demo(course: Course, slugs: tuple[str, ...], into: str, wrong: int) -> None:
    """Run a simulated class from release to feedback, in a folder of its own.

    Example: course demo rmsnorm --into /tmp/demo
    """
    words = [into, str(wrong), *_slugs(course, slugs)]
    sys.exit(subprocess.call([sys.executable, str(course.root / "tools" / "simulate_class.py"), *words]))


@command
@JSON
def doctor(course: Course, as_json: bool) -> None:
    """Say what this machine has; exit status 1 if something needed is missing.

    Example: course doctor
    """
    from autograde.console import say, say_json
    from autograde.doctor import examine

    found = examine(course)
    if as_json:
        say_json(found)
    else:
        for name, state in found.items():
            say(f"{name}: {state}")
    sys.exit(1 if any(str(state).startswith("MISSING") for state in found.values()) else 0)


if __name__ == "__main__":
    main()

"""Commands for one file, for the demo and for this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from autograde.cli.command import JSON, command, resolve_slugs
from autograde.course import Course, CourseError
from autograde.disk import write_atomically


@command
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--assignment", "slug", required=True, metavar="SLUG", help="whose checks to run")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="write the verdicts as JUnit XML here")
@click.option(
    "--gradescope", type=click.Path(dir_okay=False, path_type=Path), help="write Gradescope's results.json here"
)
@JSON
def check(course: Course, file: str, slug: str, junit: Path | None, gradescope: Path | None, as_json: bool) -> None:
    """Grade one file now and print the verdicts.

    Nothing is recorded. Exit status 1: a check is broken, which is not the file's fault; a failed check is status 0.

    Example: course check ~/Downloads/rmsnorm.ipynb --assignment rmsnorm
    """
    from autograde.grading.pool import GraderPool

    work = course.open(slug)
    if not Path(file).exists():
        raise CourseError(f"{file}: no such file")
    with GraderPool(work, device=course.device) as pool:  # started first, because its processes take longest to start
        from autograde.notebooks.extract import SubmissionError
        from autograde.notebooks.load import load_submission
        from autograde.report import encode_report

        try:
            submission = load_submission(work, file)
        except SubmissionError as error:
            raise CourseError(f"{file}: {error}") from None
        assert pool.confinement  # waits for the zygote; the imports below would slow its start
        from autograde.cli.console import say
        from autograde.pages.feedback import format_exercise, format_problem
        from autograde.reports import ci_formats

        (report,) = pool.grade([submission])
        if as_json:
            click.echo(encode_report(report), nl=False)
        else:
            for text in (*map(format_problem, report.problems), *map(format_exercise, report.exercises)):
                say(text)
        for path, written in ((junit, ci_formats.format_junit), (gradescope, ci_formats.format_gradescope)):
            if path:
                write_atomically(path, written(report))
    sys.exit(1 if report.withheld else 0)


@command
@click.argument("slugs", nargs=-1)
@click.option(
    "--into", type=click.Path(file_okay=False, path_type=Path), help="folder for it  [default: demo/ in the course]"
)
@click.option(
    "--wrong", type=click.IntRange(0), default=8, help="the most wrong programs to submit for each assignment"
)
def demo(course: Course, slugs: tuple[str, ...], into: Path | None, wrong: int) -> None:
    """Run a simulated class through everything.

    From verification to every page and export, in a copy of the course. Without a slug: all assignments. Exit status:
    that of the command that failed.

    Example: course demo rmsnorm --into /tmp/demo
    """
    from autograde.cli.demo import run_demo

    sys.exit(run_demo(course, resolve_slugs(course, slugs), (into or course.root / "demo").resolve(), wrong))


@command
@JSON
def doctor(course: Course, as_json: bool) -> None:
    """Report what this machine provides and what is missing.

    Exit status 1: something needed is missing.

    Example: course doctor
    """
    from autograde.cli.console import say, say_json
    from autograde.cli.doctor import examine

    found = examine(course)
    if as_json:
        say_json(found)
    else:
        for name, state in found.items():
            say(f"{name}: {state}")
    sys.exit(1 if any(str(state).startswith("MISSING") for state in found.values()) else 0)

"""The `course` command and the code that its subcommands share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from autograde import __version__
from autograde.course import Course, CourseError, load_course
from autograde.disk import explain_os_error

JOBS = click.option("--jobs", type=click.IntRange(1), default=None, help="processes  [default: one per core]")
JSON = click.option("--json", "as_json", is_flag=True, help="print JSON for a program, and nothing else")


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="course")
def main() -> None:
    """An autograded course: release assignments, grade submissions, write feedback.

    Run it in the course's folder or below. A SLUG is an assignment's name in course_config.py.

    Exit status: 0 done; 1 not everything is sound or graded, as the command's own help says; 2 a mistake in the command
    or in the course, which the error message explains.
    """


def command(function: Callable[..., Any], load: Callable[[], Course] = load_course) -> click.Command:
    """Register a subcommand that gets the loaded course.

    A CourseError, or a disk that cannot be written, is printed as one sentence and gives exit status 2.
    """

    def run(**options: Any) -> None:
        try:
            function(load(), **options)
        except CourseError as error:
            _refuse(str(error))
        except OSError as error:
            if (why := explain_os_error(error)) is None:
                raise
            _refuse(why)

    run.__name__, run.__doc__ = function.__name__, function.__doc__
    run.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return main.command()(run)


def _refuse(why: str) -> NoReturn:
    click.echo(f"error: {why}", err=True)
    sys.exit(2)


def resolve_slugs(course: Course, slugs: tuple[str, ...]) -> list[str]:
    """Return the named assignments without duplicates; all assignments of the course if none is named."""
    return list(dict.fromkeys(course.open(slug).slug for slug in slugs)) or course.slugs

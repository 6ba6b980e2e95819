"""Commands for authors of assignments."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from autograde.cli.command import JOBS, JSON, command, resolve_slugs
from autograde.course import Course, CourseError, Work, load_or_start_course


@partial(command, load=load_or_start_course)
@click.argument("slug")
@click.option("--title", required=True, help="what students read, for example 'RoPE'")
def new(course: Course, slug: str, title: str) -> None:
    """Write a small assignment that is already sound.

    Replace its parts by your own one at a time, and run `course verify` after each. In an empty folder it starts a
    course.

    Example: course new softmax --title "Softmax"
    """
    from autograde.cli.console import say
    from autograde.cli.new import write_assignment

    for path in write_assignment(course, slug, title):
        say(path.relative_to(course.root))
    say(f"Replace the example there by your own exercise, then run: course verify {slug}")


@command
@click.argument("slugs", nargs=-1)
@JOBS
@click.option("--seeds", type=click.IntRange(1), default=1, help="number of course seeds for the right programs")
@click.option(
    "--every-check",
    is_flag=True,
    help="run all checks on wrong programs, not only those of the exercises that they change",
)
@click.option("--exercise", default="", metavar="NAME", help="verify only this exercise of one assignment")
@click.option("--again", is_flag=True, help="grade also what nothing can have affected since it was last verified")
@click.option(
    "--page", "folder", type=click.Path(file_okay=False, path_type=Path), help="write a page and JSON into this folder"
)
@JSON
def verify(
    course: Course,
    slugs: tuple[str, ...],
    jobs: int | None,
    seeds: int,
    every_check: bool,
    exercise: str,
    again: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Verify that assignments are sound.

    Right programs must pass, wrong ones must be caught and named, points must add up, and no solution may leak. Without
    a slug: all. Exit status 1: an assignment is not sound.

    Only what a change can have affected is graded: a program is graded again if it, the checks that run on it, what
    they import, the course's policies or the engine changed.

    Example: course verify rmsnorm --exercise rms_norm
    """
    from autograde.cli.console import say, say_json, say_verification, show_progress
    from autograde.grading.pool import count_cores
    from autograde.verification.page import encode_verification, write_verification
    from autograde.verification.verify import verify as verified

    found = []
    works = [course.open(slug) for slug in resolve_slugs(course, slugs)]
    if exercise:
        _check_exercise(works, exercise)
    for work in works:
        with show_progress(work.slug) as on_progress:
            found.append(
                verified(
                    work,
                    jobs or count_cores(),
                    seeds=seeds,
                    every_check=every_check,
                    exercise=exercise,
                    cached=not again,
                    on_progress=on_progress,
                )
            )
        written = write_verification(course, found[-1], folder) if folder else []
        if not as_json:
            say_verification(found[-1])
            for path in written:
                say(path)
    if as_json:
        say_json([encode_verification(each) for each in found])
    sys.exit(0 if all(each.sound for each in found) else 1)


@command
@click.argument("slugs", nargs=-1)
@JSON
def release(course: Course, slugs: tuple[str, ...], as_json: bool) -> None:
    """Write release/<slug>/, which students get.

    Uses nbgrader's generate_assignment, and refuses a release that would reveal a solution. Without a slug: all.

    Example: course release rmsnorm
    """
    from autograde.cli.console import say, say_json
    from autograde.notebooks.release import release as released

    paths = released(course.open(slug) for slug in resolve_slugs(course, slugs))
    if as_json:
        say_json([str(path) for path in paths])
    else:
        for path in paths:
            say(f"released {path}")


def _check_exercise(works: list[Work], exercise: str) -> None:
    from autograde.notebooks.release import read_points

    if len(works) != 1:
        raise CourseError("--exercise needs the slug of its assignment")
    if exercise not in (known := read_points(works[0])):
        raise CourseError(f"{works[0].slug} has no exercise {exercise!r}; it has {', '.join(known)}")

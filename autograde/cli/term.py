"""Commands for a running term: collect, grade, feedback, report, export."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autograde.cli.command import JOBS, JSON, command
from autograde.course import Course
from autograde.lms_import.facts import Platform

if TYPE_CHECKING:  # importing this type takes longer than most commands
    from autograde.grading.pool import OpenGraders


FILE = click.Path(dir_okay=False, path_type=Path)
PLATFORMS = [platform.value for platform in Platform]


@command
@click.argument("slug")
@click.argument("archive", type=FILE)
@click.option("--keys", type=FILE, metavar="CSV", help="who an anonymous or unknown person is: columns key, student")
@click.option(
    "--times", type=FILE, metavar="FILE",
    help="when work was submitted: Canvas's List assignment submissions, saved, or a CSV of student, time",
)  # fmt: skip
@click.option("--accept-unknown", is_flag=True, help="collect people who are not in the roster, and anonymous keys")
@click.option("--from", "platform", type=click.Choice(PLATFORMS), default=None, help="[default: by the file names]")
def collect(
    course: Course, slug: str, archive: Path, keys: Path | None, times: Path | None, accept_unknown: bool,
    platform: str | None,
) -> None:  # fmt: skip
    """Take submissions out of a learning platform's zip.

    From Canvas, Moodle, Gradescope, Blackboard, Brightspace or nbgrader, into submitted/<student>/<slug>/. Students are
    found in the gradebook. Exit status 1: a submission did not reach a student, or something needs your attention; the
    reason is printed. Status 0 may have notes.

    Example: course collect rmsnorm ~/Downloads/submissions.zip
    """
    from autograde.cli.collect_text import say_collection
    from autograde.lms_import.collect import collect as collect_archive
    from autograde.lms_import.options import Options, Times, read_keys, read_times

    options = Options(
        keys=read_keys(keys) if keys else {},
        times=read_times(times, course.timezone) if times else Times(),
        accept_unknown=accept_unknown,
        platform=Platform(platform) if platform else None,
    )
    done = collect_archive(course.open(slug), archive, options)
    say_collection(slug, done)
    sys.exit(1 if done.needs_action else 0)


@command
@click.argument("slug")
@click.option("--student", "students", multiple=True, metavar="ID", help="only this student; may be repeated")
@JOBS
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default=None, help="[default: the course's]")
@click.option("--force", is_flag=True, help="grade again also submissions that have not changed")
@click.option(
    "--dask", "address", default=None, metavar="ADDRESS", help="grade on the Dask cluster with this scheduler"
)
@JSON
def grade(
    course: Course,
    slug: str,
    students: tuple[str, ...],
    jobs: int | None,
    device: str | None,
    force: bool,
    address: str | None,
    as_json: bool,
) -> None:
    """Grade the submissions of an assignment, and record them.

    From submitted/<student>/<slug>/ into reports/, autograded/ and the gradebook; unchanged submissions are not run
    again. Exit status 1: a student could not be graded; the name and reason are printed.

    Example: course grade rmsnorm --student ada
    """
    from autograde.cli.console import encode_class, say_changes, say_class, say_json, show_progress, warn_confinement
    from autograde.records.grade_class import grade_class
    from autograde.reports.changes_page import write_changes

    work, graders = course.open(slug), _choose_graders(address)
    with show_progress(slug) as on_progress:
        result = grade_class(
            work, students or None, jobs=jobs, device=device, force=force, on_progress=on_progress,
            graders=graders, on_confinement=warn_confinement,
        )  # fmt: skip
    changed = write_changes(work)
    if as_json:
        say_json(encode_class(slug, result) | {"changed": [asdict(change) for change in changed]})
    else:
        say_class(work.title, result)
        say_changes(changed, work.paths.changes_page)
    sys.exit(1 if result.errors else 0)


def _choose_graders(address: str | None) -> OpenGraders:
    """Return the graders on this machine, or on the Dask cluster whose scheduler is at `address`."""
    if address is None:
        from autograde.grading.pool import GraderPool

        return GraderPool
    from autograde.grading.dask_pool import DaskPool

    return partial(DaskPool, address=address)


@command
@click.argument("slug")
def feedback(course: Course, slug: str) -> None:
    """Write the pages that students read.

    feedback/<student>/<slug>/<slug>.html for all graded students; the class page, if there is one, links to them. Exit
    status 1: a student has no page; the name and reason are printed.

    Example: course feedback rmsnorm
    """
    from autograde.cli.console import escape_unprintable, say, warn
    from autograde.records.gradebook import write_feedback
    from autograde.reports.changes_page import write_changes
    from autograde.reports.class_report import write_class_report

    work = course.open(slug)
    errors = write_feedback(work)
    if work.paths.class_page.exists():
        write_class_report(work)
    else:
        write_changes(work)
    for student, error in errors.items():
        warn(f"{escape_unprintable(student)}: no feedback: {error}")
    say(f"feedback is in {course.root / 'feedback'}")
    sys.exit(1 if errors else 0)


@command
@click.argument("slugs", nargs=-1)
@click.option(
    "--formgrader", default="", metavar="URL", help="address for links to marking by hand  [default: the course's]"
)
def report(course: Course, slugs: tuple[str, ...], formgrader: str) -> None:
    """Write the pages that TAs read.

    reports/<slug>.html: misconceptions and the students who have them, hard checks, work to mark by hand; and tables as
    CSV. Without a slug: the page of every graded assignment, and reports/term.html over all of them.

    Example: course report rmsnorm
    """
    from autograde.cli.console import say
    from autograde.reports.class_report import write_class_report
    from autograde.reports.term_report import write_term_report

    graded = [slug for slug in course.slugs if any(course.open(slug).paths.reports.glob("*.json"))]
    for path in [] if slugs else write_term_report(course):  # first, because the other pages link to it
        say(path)
    for slug in [course.open(slug).slug for slug in slugs] or graded:
        for path in write_class_report(course.open(slug), formgrader):
            say(path)


@command
@click.option(
    "--for",
    "kind",
    type=click.Choice(["nbgrader", "canvas", "moodle"]),
    default="nbgrader",
    help="the system that imports the file",
)
@click.option("--to", default="grades.csv", type=click.Path(dir_okay=False), help="the file to write")
def export(course: Course, kind: str, to: str) -> None:
    """Write all students' scores as CSV.

    For every assignment, in nbgrader's columns or in the format that Canvas or Moodle imports.

    Example: course export --for canvas --to grades.csv
    """
    from autograde.cli.console import say, warn
    from autograde.reports.exporters import export_grades

    for sentence in export_grades(course, kind, to):
        warn(sentence)
    say(f"grades are in {to}")

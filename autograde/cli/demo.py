"""Runs all commands on a simulated class in a separate folder, and lists the pages to look at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from autograde.cli.console import say, screen
from autograde.course import CONFIG_NAME, Course, CourseError, Work
from autograde.demo.course_copy import copy_course, list_course_parts
from autograde.demo.simulated_class import HALF_DONE, submit, submit_class
from autograde.notebooks.release import assemble
from autograde.notebooks.submitted import list_submitters
from autograde.report import Report, decode_report

MARKER = "demo-course"
"""an empty file that marks a demo folder: `course demo` never replaces a folder without it"""


def run_demo(original: Course, slugs: Sequence[str], into: Path, wrong: int) -> int:
    """Run the demo of the assignments in `into`. Returns 0, or the exit status of the command that failed.

    For each assignment at most `wrong` wrong programs are submitted, evenly chosen. Before that, `course verify` tries
    all of them.
    """
    if not slugs:
        raise CourseError(f"{CONFIG_NAME} lists no assignment; write one with `course new`")
    refuse_folder(original, into)
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    (into / MARKER).touch()
    course = copy_course(original, into)
    status = run_course(into, "verify", "--page", "verified", *slugs) or run_course(into, "release", *slugs)
    works = [course.open(slug) for slug in slugs]
    for work in works if status == 0 else ():
        submit_class(work, wrong)
        status = max(status, grade(work), run_course(into, "feedback", work.slug))
    status = status or submit_again(works[0]) or write_exports(works[0])
    if status == 0:
        print_summary(works)
    return status


def refuse_folder(course: Course, into: Path) -> None:
    """Raise CourseError if the demo would replace a folder that is not a demo, or copy the course into itself."""
    if into.is_dir() and not any(into.iterdir()):
        return
    if into.exists() and not (into / MARKER).is_file():
        raise CourseError(f"{into} exists and is not a demo; name another folder with --into")
    if course.root.is_relative_to(into):
        raise CourseError(f"{into} contains the course itself; name another folder with --into")
    for part in list_course_parts(course):
        if into.is_relative_to(part):
            raise CourseError(f"{into} is inside {part}, which the demo copies; name another folder with --into")


def run_course(folder: Path, *arguments: str) -> int:
    """Run `course ...` in `folder` as a user would, print its output, and return its exit status."""
    say(f"$ course {' '.join(arguments)}")
    sys.stdout.flush()
    # -P: do not add the course's folder to sys.path; the installed command does not add it either.
    return subprocess.call([sys.executable, "-P", "-m", "autograde.cli", *arguments], cwd=folder)


def grade(work: Work) -> int:
    """Grade the class. Exit status 1 counts as success, because some submissions of the class cannot be graded."""
    status = run_course(work.course.root, "grade", work.slug)
    return 0 if status == 1 else status


def submit_again(work: Work) -> int:
    """Submit the solution for one student after the feedback, so that the review page shows a changed grade."""
    shutil.rmtree(work.paths.submitted(HALF_DONE))
    submit(work, HALF_DONE, assemble(work, {}))
    return grade(work) or run_course(work.course.root, "report")


def write_exports(work: Work) -> int:
    """Write the exports for learning platforms and CI."""
    for platform in ("canvas", "moodle"):
        if status := run_course(work.course.root, "export", "--for", platform, "--to", f"grades-{platform}.csv"):
            return status
    notebook = str(work.paths.submitted(HALF_DONE) / f"{work.slug}.ipynb")
    written = ("--gradescope", "results.json", "--junit", "junit.xml")
    return run_course(work.course.root, "check", notebook, "--assignment", work.slug, *written)


def print_summary(works: Sequence[Work]) -> None:
    """Print the class as a table, and list each page with its purpose."""
    table = Table(title="The simulated class")
    table.add_column("assignment", no_wrap=True)
    for heading in ("submitted", "full marks", "some", "none", "hint given", "not graded"):
        table.add_column(heading, justify="right")
    for work in works:
        table.add_row(work.slug, *map(str, count_students(work)))
    screen.print(table)
    root = works[0].course.root
    say(f"\nPages of {works[0].slug}, in {root}; those of other assignments are in the same folders.")
    for reader, pages in list_pages(works[0]).items():
        say(f"\n{reader}")
        for path, purpose in pages.items():
            say(f"  {path}\n      {purpose}")
    if (root / "nbgrader_config.py").exists():
        say(f"\nTo mark by hand: cd {root} && jupyter lab, then Nbgrader > Formgrader")


def count_students(work: Work) -> tuple[int, ...]:
    """Count the students who submitted, got full, some or no marks, got a hint, and could not be graded."""
    reports, submitted = read_reports(work), len(list_submitters(work))
    full = sum(report.score == report.max_score for report in reports)
    none = sum(report.score == 0 for report in reports)
    hinted = sum(map(has_hint, reports))
    return submitted, full, len(reports) - full - none, none, hinted, submitted - len(reports)


def read_reports(work: Work) -> list[Report]:
    return [decode_report(path.read_bytes()) for path in sorted(work.paths.reports.glob("*.json"))]


def has_hint(report: Report) -> bool:
    return any(verdict.hint for verdict in report.verdicts)


def list_pages(work: Work) -> dict[str, dict[str, str]]:
    """Return reader -> path in the course -> its purpose, for one assignment."""
    paths, verified = work.paths, work.course.root / "verified"
    student = next((report.student for report in read_reports(work) if has_hint(report)), HALF_DONE)
    found = {
        "For students": {paths.feedback(student): "points, what to fix first, how to see each failure"},
        "For TAs": {
            paths.class_page: "the class: what to do, what to explain, who passed what",
            work.course.term_page: "the term: who may need help, which assignment was hard",
            paths.changes_page: "points that changed, to review before `course feedback` shows them",
        },
        "For instructors": {
            verified / f"{work.slug}.html": "is the assignment sound, and which check catches which wrong program"
        },
        "For programs": {
            paths.report(HALF_DONE): "the record that every page is made from",
            verified / f"{work.slug}.json": "the verification",
            work.course.log: "who graded what, when and with which version",
            work.course.root / "grades-canvas.csv": "grades for Canvas; grades-moodle.csv for Moodle",
            work.course.root / "results.json": "one submission for Gradescope; junit.xml for CI",
        },
    }
    return {
        reader: {str(path.relative_to(work.course.root)): purpose for path, purpose in pages.items()}
        for reader, pages in found.items()
    }

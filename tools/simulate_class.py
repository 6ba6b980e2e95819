"""A simulated class, from verification to every page and export: `course demo`. All of it in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console
from rich.table import Table

from autograde.course import Course, load_course
from autograde.notebooks.release import assemble, draft, read_program
from autograde.notebooks.submitted import students_submitted
from autograde.report import decode_report

ROOT = Path(__file__).resolve().parent.parent
COURSE_FILES = ("course_config.py", "nbgrader_config.py", "source", "hidden_tests", "reference_impl")
LOOP = "\n\nwhile True:\n    pass\n"
CRASH = "\n\nimport ctypes\nctypes.string_at(0)\n"


def main(into: Path, wrong: int, slugs: Sequence[str]) -> int:
    """Run the demo in `into`; 0, or the exit status of the command that failed.

    Each class hands in up to `wrong` of the assignment's wrong programs, spread over all; `course verify`, with which
    the demo begins, has tried every one of them.
    """
    if into.exists() and not (into / "demo-course").exists():
        print(f"{into} exists and is no demo; name another folder", file=sys.stderr)
        return 2
    shutil.rmtree(into, ignore_errors=True)
    course = copy_course(into)
    (into / "demo-course").touch()
    status = _course(into, "verify", "--page", "verified", *slugs) or _course(into, "release", *slugs)
    for slug in slugs if status == 0 else ():
        hand_in_all(course, slug, wrong)
        graded = _course(into, "grade", slug)  # 1: some submissions cannot be graded, as the class intends
        status = max(status, 0 if graded == 1 else graded, _course(into, "feedback", slug))
    status = status or regrade(course, slugs[0]) or write_for_others(course, slugs[0])
    if status == 0:
        show(course, slugs)
    return status


def regrade(course: Course, slug: str) -> int:
    """One student hands in once more after the feedback; the page for review shows what that changes, and the rest."""
    shutil.rmtree(course.paths(slug).submitted("half-done"))
    hand_in(course, slug, "half-done", assemble(course, slug, {}))
    graded = _course(course.root, "grade", slug)
    return (0 if graded == 1 else graded) or _course(course.root, "report")


def write_for_others(course: Course, slug: str) -> int:
    """What learning platforms and CI read."""
    for kind in ("canvas", "moodle"):
        if status := _course(course.root, "export", "--for", kind, "--to", f"grades-{kind}.csv"):
            return status
    notebook = str(course.paths(slug).submitted("half-done") / f"{slug}.ipynb")
    written = ("--gradescope", "results.json", "--junit", "junit.xml")
    return _course(course.root, "check", notebook, "--assignment", slug, *written)


def show(course: Course, slugs: Sequence[str]) -> None:
    """The class in a table, and where each page lies and what it is for."""
    table = Table(title="The simulated class")
    table.add_column("assignment", no_wrap=True)
    for heading in ("handed in", "full marks", "some", "none", "hint given", "not graded"):
        table.add_column(heading, justify="right")
    for slug in slugs:
        found = [decode_report(path.read_bytes()) for path in course.paths(slug).reports.glob("*.json")]
        handed_in = len(students_submitted(course, slug))
        full = sum(report.score == report.max_score for report in found)
        none = sum(report.score == 0 for report in found)
        hinted = sum(any(verdict.hint for verdict in report.verdicts) for report in found)
        counts = (handed_in, full, len(found) - full - none, none, hinted, handed_in - len(found))
        table.add_row(slug, *map(str, counts))
    Console().print(table)
    print(f"\nPages of {slugs[0]}, in {course.root}; those of other assignments lie beside them.")
    for reader, places in where_to_look(course, slugs[0]).items():
        print(f"\n{reader}")
        for place, purpose in places.items():
            print(f"  {place}\n      {purpose}")
    print(f"\nTo mark by hand: cd {course.root} && jupyter lab, then Nbgrader > Formgrader")


def where_to_look(course: Course, slug: str) -> dict[str, dict[str, str]]:
    """Reader -> path in the course -> what it is for; of one assignment."""
    reports = [decode_report(path.read_bytes()) for path in sorted(course.paths(slug).reports.glob("*.json"))]
    hinted = [report.student for report in reports if any(verdict.hint for verdict in report.verdicts)]
    verified = course.root / "verified"
    found = {
        "For students": {
            course.paths(slug).feedback(
                [*hinted, "half-done"][0]
            ): "points, what to mend first, how to see each failure",
        },
        "For TAs": {
            course.paths(slug).class_page: "the class: what to do and to say next, who passed what, statistics",
            course.term_page: "the term: who may need help, which assignment was hard",
            course.paths(slug).changes_page: "a regrading, to review before `course feedback` shows it",
        },
        "For instructors": {verified / f"{slug}.html": "is it sound: which check catches which wrong program"},
        "For programs": {
            course.paths(slug).report("half-done"): "the record that every page is made from; docs/report.schema.json",
            verified / f"{slug}.json": "the verification",
            course.log: "who graded what, when and with which version",
            course.root / "grades-canvas.csv": "grades for Canvas; grades-moodle.csv for Moodle",
            course.root / "results.json": "one submission for Gradescope; junit.xml for CI",
        },
    }
    return {
        reader: {str(path.relative_to(course.root)): purpose for path, purpose in places.items()}
        for reader, places in found.items()
    }


def copy_course(into: Path) -> Course:
    """This course's own files, and nothing that grading made, in a folder of their own."""
    into.mkdir(parents=True)
    for name in COURSE_FILES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, into / name)
    return load_course(into)


def _course(folder: Path, *arguments: str) -> int:
    print(f"$ course {' '.join(arguments)}", flush=True)
    return subprocess.call([sys.executable, "-m", "autograde.cli", *arguments], cwd=folder)


def hand_in_all(course: Course, slug: str, wrong: int) -> None:
    """Write submitted/<student>/<slug>/ for the whole class, one student per kind of program."""
    right_ones, wrong_ones = (sorted((course.paths(slug).hidden_tests / k).glob("*.py")) for k in ("right", "wrong"))
    for path in [*right_ones, *spread(wrong_ones, wrong)]:
        name = f"{path.parent.name}-{path.stem.replace('_', '-')}"
        hand_in(course, slug, name, assemble(course, slug, read_program(path)[1]))
    untouched = nbformat.read(draft(course, slug), as_version=4)
    hand_in(course, slug, "untouched", untouched)
    stubs, solution = answers_of(untouched), answers_of(assemble(course, slug, {}))
    answers = list(solution)
    half = {name: stubs[name] for name in answers[len(answers) // 2 :]}
    hand_in(course, slug, "half-done", assemble(course, slug, half))
    last = answers[-1]
    for student, source in {
        "syntax-error": "def broken(:\n",
        "endless-loop": solution[last] + LOOP,
        "crash": solution[last] + CRASH,
    }.items():
        hand_in(course, slug, student, assemble(course, slug, {last: source}))
    hand_in(course, slug, "late", assemble(course, slug, {}), days_late=2)
    course.paths(slug).submitted("missing-notebook").mkdir(parents=True)
    damaged = assemble(course, slug, {})
    for cell in damaged.cells:
        cell.metadata = {"nbgrader": {"grade": "yes", "points": 1000}}
    hand_in(course, slug, "damaged-metadata", damaged)


def spread(items: list[Path], most: int) -> list[Path]:
    """At most `most` of the items, evenly over all."""
    return [items[index * len(items) // most] for index in range(most)] if most < len(items) else items


def answers_of(notebook: Any) -> dict[str, str]:
    """grade_id -> source of every code cell that a student writes."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.id: cell.source for cell in code if cell.metadata.get("nbgrader", {}).get("solution")}


def hand_in(course: Course, slug: str, student: str, notebook: Any, days_late: float = -1) -> None:
    folder = course.paths(slug).submitted(student)
    folder.mkdir(parents=True)
    (folder / f"{slug}.ipynb").write_text(json.dumps(notebook))
    due = course.due(slug)
    if due is not None:
        stamp = due + timedelta(days=days_late)
        (folder / "timestamp.txt").write_text(stamp.strftime("%Y-%m-%d %H:%M:%S.%f UTC"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]))

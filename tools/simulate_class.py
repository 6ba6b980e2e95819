"""A simulated class, from release to feedback: `course demo`. Everything happens in a folder of its own."""

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
    status = _course(into, "verify", *slugs) or _course(into, "release", *slugs)
    for slug in slugs if status == 0 else ():
        hand_in_all(course, slug, wrong)
        graded = _course(into, "grade", slug)  # 1: some submissions cannot be graded, as the class intends
        done = [0 if graded == 1 else graded, _course(into, "feedback", slug), _course(into, "report", slug)]
        status = max(status, *done)
    if status == 0:
        show(course, slugs)
    return status


def show(course: Course, slugs: Sequence[str]) -> None:
    """The class in a table, and where to look."""
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
    page = next(iter(sorted(course.root.glob(f"feedback/wrong-*/{slugs[0]}/*.html"))))
    print(f"A feedback page: {page}")
    print(f"All of them:     {course.root / 'feedback'}/<student>/<assignment>/")
    print(f"For the TAs:     {course.root / 'reports' / slugs[0]}.html")
    print(f"The records:     {course.root / 'reports'}/<assignment>/<student>.json")
    print(f"To mark by hand: cd {course.root} && jupyter lab, then Nbgrader > Formgrader")


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

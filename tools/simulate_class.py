"""A simulated class, from release to feedback: `course demo`. Everything happens in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import nbformat

from autograde.course import Course, load_course
from autograde.release import assemble, draft, read_program

ROOT = Path(__file__).resolve().parent.parent
COURSE_FILES = ("course_config.py", "nbgrader_config.py", "source", "hidden_tests", "reference_impl")
WRONG_PER_ASSIGNMENT = 12
LOOP = "\n\nwhile True:\n    pass\n"
CRASH = "\n\nimport os\nos.kill(os.getpid(), 11)\n"


def main(into: Path) -> int:
    if into.exists() and not (into / "demo-course").exists():
        print(f"{into} exists and is no demo; name another folder", file=sys.stderr)
        return 2
    shutil.rmtree(into, ignore_errors=True)
    course = copy_course(into)
    (into / "demo-course").touch()
    status = _course(into, "verify", *course.slugs) or _course(into, "release")
    for slug in course.slugs if status == 0 else ():
        hand_in_all(course, slug)
        graded = _course(into, "grade", slug)  # 1: some submissions cannot be graded, as the class intends
        status = max(status, 0 if graded == 1 else graded, _course(into, "feedback", slug))
    print(f"\nLook at {into}/feedback/<student>/<assignment>/ (pages) and {into}/reports/ (the records).")
    return status


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


def hand_in_all(course: Course, slug: str) -> None:
    """Write submitted/<student>/<slug>/ for the whole class, one student per kind of program."""
    for kind, most in (("right", None), ("wrong", WRONG_PER_ASSIGNMENT)):
        for path in sorted((course.paths(slug).hidden_tests / kind).glob("*.py"))[:most]:
            hand_in(course, slug, f"{kind}-{path.stem.replace('_', '-')}", assemble(course, slug, read_program(path)[1]))
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
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo").resolve()))

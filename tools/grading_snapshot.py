"""Grades the same class every time, in a temporary copy of a course, and stores what the engine writes.

It makes one folder for each assignment:

    reports/<student>.json    as `course grade` wrote them
    feedback/<student>.html   as `course feedback` wrote them
    released.ipynb            what `course release` made for students
    scores.csv                the gradebook's entry for each graded cell
    export-<kind>.csv         what `course export` wrote
    run.json                  exit statuses, digests of the submissions, reasons why some were not graded

It uses only the `course` command and files, so that it works before and after a change to the engine.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jupytext
import nbformat
from nbgrader.api import Gradebook, MissingEntry

COURSE_FILES = ("course_config.py", "nbgrader_config.py", "source", "hidden_tests", "reference_impl")
EXPORTS = ("nbgrader", "canvas", "moodle")
ON_TIME, LATE = "2020-01-01 00:00:00.000000 UTC", "2099-01-01 00:00:00.000000 UTC"
LIMITS = """
from dataclasses import replace as _replace
COURSE = _replace(
    COURSE, limits=_replace(COURSE.limits, check_cpu_s=8, check_wall_s=600, cell_wall_s=60, notebook_wall_s=600)
)
"""
"""An endless call reaches the low limit of processor time soon. The limits of wall time are high, because on a busy
machine low ones would also stop correct programs, in one snapshot and not in the other."""
ENDLESS_CELL = "\n\nimport time\nwhile True:\n    time.sleep(1)\n"
ENDLESS_CALL = "\n\ndef {}(*args, **kwargs):\n    while True:\n        pass\n"
CRASH = "\n\nimport ctypes\nctypes.string_at(0)\n"
STAFF_REGION = re.compile(
    r"^[^\n]*\bBEGIN (MARK SCHEME|HIDDEN TESTS)\b.*?\bEND \1\b[^\n]*\n?", re.MULTILINE | re.DOTALL
)
SOLUTION_MARKER = re.compile(r"^.*\b(?:BEGIN|END) SOLUTION\b.*\n?", re.MULTILINE)

Notebook = Any


class Submission(NamedTuple):
    student: str
    text: str | None
    """the notebook's text; None for a folder without a file"""
    when: str = ON_TIME


def snapshot(course: Path, slug: str, into: Path, wrong: int, jobs: int) -> None:
    """Grade the class in a temporary copy of the course; `into` is replaced once everything is written."""
    with tempfile.TemporaryDirectory(prefix="gradings-") as folder:
        root, kept, start = Path(folder) / "course", Path(folder) / "kept", time.monotonic()
        copy_course(course, root)
        statuses = {"release": course_command(root, "release", slug)[0]}
        submissions = {each.student: submit(root, slug, each) for each in make_class(root, slug, wrong)}
        statuses["grade"], said = course_command(root, "grade", slug, "--jobs", str(jobs), "--json")
        statuses["feedback"], _ = course_command(root, "feedback", slug)
        shutil.copytree(root / "reports" / slug, kept / "reports")
        for page in root.glob(f"feedback/*/{slug}/{slug}.html"):
            (kept / "feedback").mkdir(exist_ok=True)
            shutil.copy(page, kept / "feedback" / f"{page.parents[1].name}.html")
        shutil.copy(root / "release" / slug / f"{slug}.ipynb", kept / "released.ipynb")
        for kind in EXPORTS:
            to = str(kept / f"export-{kind}.csv")
            statuses[f"export {kind}"], _ = course_command(root, "export", "--for", kind, "--to", to)
        write_scores(root, slug, kept / "scores.csv", sorted(submissions))
        run = {
            "statuses": statuses,
            "submissions": submissions,
            "not_graded": json.loads(said)["not_graded"],
            "folder": str(root),
            "seconds": round(time.monotonic() - start, 1),
        }
        (kept / "run.json").write_text(json.dumps(run, indent=2) + "\n")
        shutil.rmtree(into, ignore_errors=True)
        shutil.move(kept, into)
    print(f"{slug}: {len(submissions)} submissions in {run['seconds']} s", flush=True)


def copy_course(course: Path, root: Path) -> None:
    """The course's own files, with limits that do not depend on the load of the machine."""
    root.mkdir()
    for name in COURSE_FILES:
        if (course / name).is_dir():
            shutil.copytree(course / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (course / name).exists():
            shutil.copy(course / name, root / name)
    with (root / "course_config.py").open("a") as config:
        config.write(LIMITS)


def course_command(root: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and standard output of `course`. Status 1 (not everything is graded) is expected of this class."""
    command = [sys.executable, "-m", "autograde.cli", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"course {' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode, done.stdout


def make_class(root: Path, slug: str, wrong: int) -> Iterator[Submission]:
    """The same class every time, one student for each program."""
    released = nbformat.read(root / "release" / slug / f"{slug}.ipynb", as_version=4)
    solution = solutions(root / "source" / f"{slug}.py")
    tests = root / "hidden_tests" / slug
    right_ones, wrong_ones = (sorted((tests / kind).glob("*.py")) for kind in ("right", "wrong"))
    step = max(1.0, len(wrong_ones) / max(1, wrong))
    chosen = [wrong_ones[int(number * step)] for number in range(min(wrong, len(wrong_ones)))]
    for path in [*right_ones, *chosen]:
        student = f"{path.parent.name}-{path.stem.replace('_', '-')}"
        yield Submission(student, filled(released, solution | read_program(path), ran=True))
    code = {cell.metadata.nbgrader.grade_id for cell in released.cells if cell.cell_type == "code" and is_answer(cell)}
    last = [name for name in solution if name in code][-1]
    endless = ENDLESS_CALL.format(defined_in(solution[last]))
    answers = {
        "solution": solution,
        "untouched": {},
        "missing-function": solution | {last: "# not written"},
        "syntax-error": solution | {last: "def broken(:\n"},
        "crash": solution | {last: solution[last] + CRASH},
        "endless-cell": solution | {last: solution[last] + ENDLESS_CELL},
    }
    if slug == min(path.stem for path in (root / "source").glob("*.py")):  # it takes as long as all the others together
        answers["endless-call"] = solution | {last: solution[last] + endless}
    for student, written in answers.items():
        yield Submission(student, filled(released, written))
    complete = filled(released, solution)
    yield Submission("late", complete, LATE)
    yield Submission("damaged-file", complete[: len(complete) // 2])
    yield Submission("damaged-metadata", filled(released, solution, metadata={"grade": True, "points": 1000}))
    yield Submission("missing-notebook", None)


def is_answer(cell: Notebook) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def solutions(source: Path) -> dict[str, str]:
    """grade_id -> the instructor's answer, without markers and staff-only text."""
    cells = [cell for cell in jupytext.reads(source.read_text(), fmt="py:percent").cells if is_answer(cell)]
    texts = {cell.metadata["nbgrader"]["grade_id"]: STAFF_REGION.sub("", cell.source) for cell in cells}
    return {name: SOLUTION_MARKER.sub("", text) for name, text in texts.items()}


def read_program(path: Path) -> dict[str, str]:
    """grade_id -> source of each cell headed `# %% <grade_id>`."""
    cells = jupytext.reads(path.read_text(), fmt="py:percent").cells
    return {cell.metadata["title"]: cell.source for cell in cells if "title" in cell.metadata}


def defined_in(source: str) -> str:
    """The first function or class that the source defines."""
    return next(node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef))


def filled(released: Notebook, answers: Mapping[str, str], *, ran: bool = False, metadata: Any = None) -> str:
    """The released notebook with these answers.

    `ran`: mark each cell as run without output, so that the grader does not run the experiments at the end;
    `metadata`: replaces each cell's nbgrader metadata.
    """
    notebook = nbformat.from_dict(json.loads(json.dumps(released)))
    for number, cell in enumerate(notebook.cells, start=1):
        if is_answer(cell):
            cell.source = answers.get(cell.metadata.nbgrader.grade_id, cell.source)
        if ran and cell.cell_type == "code":
            cell.execution_count = number
        if metadata:
            cell.metadata = {"nbgrader": metadata}
    return json.dumps(notebook, indent=1, sort_keys=True)


def submit(root: Path, slug: str, work: Submission) -> str:
    """Write a submission; returns its digest."""
    folder = root / "submitted" / work.student / slug
    folder.mkdir(parents=True)
    (folder / "timestamp.txt").write_text(work.when)
    if work.text is not None:
        (folder / f"{slug}.ipynb").write_text(work.text)
    return hashlib.sha256((work.text or "").encode()).hexdigest()


def write_scores(root: Path, slug: str, to: Path, students: list[str]) -> None:
    """Write the gradebook's entry for each graded cell."""
    rows: list[tuple[Any, ...]] = [("student", "cell", "auto_score", "max_score", "needs_manual_grade")]
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
        for student in students:
            try:
                grades = gradebook.find_submission_notebook(slug, slug, student).grades
            except MissingEntry:
                continue
            cells = [(grade.name, grade.auto_score, grade.max_score, grade.needs_manual_grade) for grade in grades]
            rows += [(student, *cell) for cell in sorted(cells)]
    with to.open("w", newline="") as file:
        csv.writer(file).writerows(rows)

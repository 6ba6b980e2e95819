"""Grades one class repeatedly, serially and in parallel, idle and under load, and compares the reports byte for byte.

    python tools/check_determinism.py --times 20

The class is that of the demo: programs that are right, wrong, unfinished, broken, endless or crashing. Every run starts
new processes. If two runs differ, it prints the first line that differs and exits with status 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from autograde.course import Course, Work, load_course
from autograde.demo.course_copy import copy_course
from autograde.demo.simulated_class import submit_class
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.release import release
from autograde.notebooks.submitted import list_submitters, read_submitted
from autograde.report import encode_report

ROOT = Path(__file__).resolve().parents[1]
LIMITS = """
from dataclasses import replace
COURSE = replace(COURSE, limits=replace(COURSE.limits, cell_wall_s={}))
"""
BUSY_AT_MOST_S = 900.0
SETTINGS = ((1, 0), (2, 0), (2, 3), (1, 2))
"""(graders, busy processes that run at the same time), used in turn"""
Reports = dict[str, bytes]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--assignment", default="rmsnorm")
    parser.add_argument("--wrong", type=int, default=3, help="at most so many wrong programs")
    parser.add_argument("--right", type=int, default=2, help="at most so many right programs")
    parser.add_argument(
        "--cell-s",
        type=float,
        default=12,
        help="an endless cell is stopped after so many seconds; an honest one must have ended by then, also under load",
    )
    chosen = parser.parse_args()
    table = Table(title=f"{chosen.assignment}, graded {chosen.times} times")
    for heading in ("run", "graders", "busy processes", "seconds", "submissions", "differ from the first run"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="determinism-") as folder:
        course = make_class(Path(folder) / "course", chosen.assignment, chosen.wrong, chosen.right, chosen.cell_s)
        runs = []
        for number, (jobs, busy) in enumerate(islice(cycle(SETTINGS), chosen.times), start=1):
            start = time.monotonic()
            with load(busy):
                runs.append(graded(course.open(chosen.assignment), jobs))
            changed = differences(runs[0], runs[-1])
            row = (number, jobs, busy, round(time.monotonic() - start), len(runs[-1]), len(changed))
            table.add_row(*map(str, row))
            print(f"run {number}: {'the same' if not changed else '; '.join(changed)}", flush=True)
    Console().print(table)
    return 0 if all(run == runs[0] for run in runs) else 1


def make_class(into: Path, slug: str, wrong: int, right: int, cell_s: float) -> Course:
    course = copy_course(load_course(ROOT), into)
    with (into / "course_config.py").open("a") as config:
        config.write(LIMITS.format(cell_s))
    release([course.open(slug)])
    submit_class(course.open(slug), wrong)
    for student in sorted(name for name in list_submitters(course.open(slug)) if name.startswith("right-"))[right:]:
        shutil.rmtree(into / "submitted" / student)
    return load_course(into)


def graded(work: Work, jobs: int) -> Reports:
    """Each report as it would be written, or the error of a submission that cannot be read."""
    found: Reports = {}
    submissions = []
    for student in list_submitters(work):
        try:
            submissions.append(read_submitted(work, student))
        except SubmissionError as error:
            found[student] = str(error).encode()
    with GraderPool(work, jobs) as pool:
        return found | {report.student: encode_report(report) for report in pool.grade(submissions)}


def differences(first: Reports, other: Reports) -> list[str]:
    """For each student whose report differs, the first line that differs."""
    said = []
    for student in sorted(first.keys() | other.keys()):
        lines = [run.get(student, b"no report").splitlines() for run in (first, other)]
        if lines[0] != lines[1]:
            pair = next(((a, b) for a, b in zip(*lines, strict=False) if a != b), (b"its length", b"its length"))
            said.append(f"{student}: {pair[0][:200]!r} became {pair[1][:200]!r}")
    return said


@contextmanager
def load(count: int) -> Iterator[None]:
    """Run `count` processes that only compute while the block runs."""
    busy = [multiprocessing.Process(target=compute, daemon=True) for _ in range(count)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.join()


def compute() -> None:
    end = time.monotonic() + BUSY_AT_MOST_S
    while time.monotonic() < end:
        sum(number * number for number in range(100_000))


if __name__ == "__main__":
    sys.exit(main())

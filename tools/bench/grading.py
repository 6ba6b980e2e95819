"""Measures the cost of grading: `course grade`, stock `nbgrader autograde` and a lower bound, on the same submissions.

    python -m tools.bench.grading --assignment attention_head --submissions 20 --picture docs/performance.svg

Half of the submissions are right, half are wrong programs of the course; each was run from top to bottom before it was
submitted. Stock nbgrader runs the public cells of each notebook in a separate kernel, and gives points for cells that
do not raise; `course grade` runs the notebook and then every hidden check in a separate process. It shows the outputs
after the last answer as submitted, unless the notebook was not run (--not-run). Both write autograded/ and a gradebook,
each in a fresh copy of the course; stock nbgrader has its default settings. Each first grades one submission for each
of its processes and then all, which separates the start-up cost from the cost of each further submission. The check
cache is filled before, as after `course verify`. tools/bench/lower_bound.py defines the lower bound.

CPU seconds are comparable on a shared machine; for the targets of wall time nothing else should run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from nbclient import NotebookClient

from autograde.course import Course, Work, load_course
from autograde.demo.course_copy import copy_course
from autograde.demo.simulated_class import submit
from autograde.notebooks.release import assemble, read_program, release
from tools.bench import ROOT, cpu_account, private_memory
from tools.bench.cpu_account import Cost
from tools.bench.results import Measured, Timing, draw, show

STOCK_CONFIG = """c.CourseDirectory.course_id = "bench"
c.ClearMarkScheme.enforce_metadata = False  # our written answers have mark schemes, which stock allows in tasks only
c.ExecutePreprocessor.timeout = 120
"""
FIRST = "student-0000"
CHECKS = 3


def main() -> None:
    options = _options()
    slug, count = options.assignment, options.submissions
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        course = _submitted(Path(folder) / "course", slug, count, not options.not_run)
        grade = [sys.executable, "-m", "autograde.cli", "grade", slug, "--jobs", str(options.jobs)]
        found = Measured(
            ours=_timed(f"course grade --jobs {options.jobs}", grade, course.root, slug, count, options.jobs),
            stock=_stock(Path(folder) / "stock", course.open(slug), count),
            lower_bound=_lower_bound(course.open(slug), count),
            memory=private_memory.peak([*grade, "--force"], course.root),
            check=_cold_check(course.open(slug)),
        )
    show(found, slug)
    if options.picture:
        draw(found, slug, options.picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="attention_head")
    parser.add_argument(
        "--submissions", type=int, default=20, help="half of them right, half wrong; more than there are jobs"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes of `course grade`")
    parser.add_argument("--not-run", action="store_true", help="submit notebooks that were not run")
    parser.add_argument("--picture", type=Path, help="draw the costs into this SVG file")
    options = parser.parse_args()
    if options.submissions <= options.jobs:
        parser.error("--submissions must be more than --jobs, so that some come after the start")
    return options


def _submitted(folder: Path, slug: str, submissions: int, run: bool) -> Course:
    course = copy_course(load_course(ROOT), folder)
    release([course.open(slug)])
    work = course.open(slug)
    submit_all(work, submissions, run)
    cpu_account.run(_check(work), course.root)  # fills the check cache, as `course verify` does
    return course


def _check(work: Work) -> list[str]:
    """The command that checks the first file, a right program."""
    file = work.paths.submitted(FIRST) / f"{work.slug}.ipynb"
    return [sys.executable, "-m", "autograde.cli", "check", str(file), "--assignment", work.slug]


def _stock(folder: Path, work: Work, submissions: int) -> Timing:
    """Time a plain nbgrader course: the same source, the same submissions, nbgrader's own settings."""
    shutil.copytree(work.course.stage / work.slug, folder / "source" / work.slug)
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*nbgrader, "generate_assignment", work.slug], cwd=folder, check=True, capture_output=True)
    shutil.copytree(work.course.root / "submitted", folder / "submitted")
    return _timed("nbgrader autograde", [*nbgrader, "autograde", work.slug], folder, work.slug, submissions, 1)


def submit_all(work: Work, submissions: int, run: bool = True) -> None:
    """Submit right and wrong programs alternately; `run` runs each from top to bottom first, as a student would."""
    folder = work.paths.hidden_tests
    right, wrong = (itertools.cycle(sorted((folder / kind).glob("*.py"))) for kind in ("right", "wrong"))
    for number, path in zip(range(submissions), itertools.cycle((right, wrong)), strict=False):
        notebook = assemble(work, read_program(next(path))[1])
        if run:
            NotebookClient(
                notebook, kernel_name="python3", allow_errors=True, timeout=None, extra_arguments=["--log-level=40"]
            ).execute(cwd=str(work.course.root / "source"))
        submit(work, f"student-{number:04}", notebook)


def _timed(name: str, command: list[str], folder: Path, slug: str, submissions: int, few: int) -> Timing:
    students = [word for number in range(few) for word in ("--student", f"student-{number:04}")]
    first = _graded([*command, *students], folder, slug, few)
    return Timing(name, first, _graded([*command, "--force"], folder, slug, submissions), few, submissions)


def _graded(command: list[str], folder: Path, slug: str, submissions: int) -> Cost:
    """Run the command; fail if it graded fewer submissions than it was given, since its time would be wrong."""
    status, output, cost = cpu_account.run(command, folder)
    graded = len(list(folder.glob(f"autograded/*/{slug}/{slug}.ipynb")))
    if status != 0 or graded != submissions:
        raise SystemExit(f"{' '.join(command)} graded {graded} of {submissions}:\n{output[-4000:]}")
    return cost


def _lower_bound(work: Work, submissions: int) -> dict[str, float]:
    command = [sys.executable, "-m", "tools.bench.lower_bound", str(work.course.root), work.slug]
    environment = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return {part: seconds / submissions for part, seconds in json.loads(done.stdout).items()}


def _cold_check(work: Work) -> Cost:
    """The run with the median wall time of a few."""
    costs = []
    for _ in range(CHECKS):
        status, output, cost = cpu_account.run(_check(work), work.course.root)
        if status != 0:
            raise SystemExit(f"course check ended with {status}:\n{output[-4000:]}")
        costs.append(cost)
    middle = statistics.median_low([cost.wall_s for cost in costs])
    return next(cost for cost in costs if cost.wall_s == middle)


if __name__ == "__main__":
    main()

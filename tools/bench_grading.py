"""Times `course grade` beside stock `nbgrader autograde` on the same submissions, in one run on one machine.

    python tools/bench_grading.py --assignment attention_head --submissions 20

Stock nbgrader runs each notebook in a kernel of its own, with its public cells only, and scores what does not raise;
`course grade` runs the notebook and then every hidden check, behind a process border. Both write autograded/ and a
gradebook. Each works in a fresh copy of the course; stock nbgrader has its default settings.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cpu_account
from rich.console import Console
from rich.table import Table
from simulate_class import copy_course, hand_in

from autograde.course import Course
from autograde.notebooks.release import assemble, read_program, release
from autograde.notebooks.stage import stage_if_stale

STOCK_CONFIG = """c.CourseDirectory.course_id = "bench"
c.ClearMarkScheme.enforce_metadata = False  # our written answers have mark schemes, which stock allows in tasks only
c.ExecutePreprocessor.timeout = 120
"""


@dataclass(frozen=True)
class Timing:
    """What one command took."""

    name: str
    cost: cpu_account.Cost


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        timings = [
            _course(Path(folder) / "course", options.assignment, options.submissions, options.jobs),
            _stock(Path(folder) / "stock", options.assignment, options.submissions),
        ]
    _print(timings, options.assignment, options.submissions)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="attention_head")
    parser.add_argument("--submissions", type=int, default=20, help="half of them right, half wrong")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes of `course grade`")
    return parser.parse_args()


def _course(folder: Path, slug: str, submissions: int, jobs: int) -> Timing:
    course = copy_course(folder)
    release(course, [slug])
    hand_in_all(course, course, slug, submissions)
    command = [sys.executable, "-m", "autograde.cli", "grade", slug, "--jobs", str(jobs)]
    return _timed(f"course grade --jobs {jobs}", command, folder, slug, submissions)


def _stock(folder: Path, slug: str, submissions: int) -> Timing:
    """A plain nbgrader course: same source, same submissions, nbgrader's own settings."""
    programs = copy_course(folder / "programs")
    stage_if_stale(programs, slug)
    shutil.copytree(programs.stage / slug, folder / "source" / slug)
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG)
    stock = Course(name="bench", assignments=programs.assignments, root=folder)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*nbgrader, "generate_assignment", slug], cwd=folder, check=True, capture_output=True)
    release(programs, [slug])
    hand_in_all(programs, stock, slug, submissions)
    return _timed("nbgrader autograde", [*nbgrader, "autograde", slug], folder, slug, submissions)


def hand_in_all(course: Course, into: Course, slug: str, submissions: int) -> None:
    """Right and wrong programs in turn, over and over."""
    folder = course.paths(slug).hidden_tests
    right, wrong = (itertools.cycle(sorted((folder / kind).glob("*.py"))) for kind in ("right", "wrong"))
    for number, path in zip(range(submissions), itertools.cycle((right, wrong)), strict=False):
        hand_in(into, slug, f"student-{number:04}", assemble(course, slug, read_program(next(path))[1]))


def _timed(name: str, command: list[str], folder: Path, slug: str, submissions: int) -> Timing:
    """Run it; a command that graded fewer submissions than it was given is no measurement."""
    status, output, cost = cpu_account.run(command, folder)
    graded = len(list(folder.glob(f"autograded/*/{slug}/{slug}.ipynb")))
    if status != 0 or graded != submissions:
        raise SystemExit(f"{name} graded {graded} of {submissions}:\n{output[-4000:]}")
    return Timing(name, cost)


def _print(timings: list[Timing], slug: str, submissions: int) -> None:
    table = Table(title=f"{submissions} submissions of {slug}, half of them wrong")
    for column in ("command", "wall s", "CPU s", "wall s each", "CPU s each", "times stock", "in CPU s"):
        table.add_column(column, justify="left" if column == "command" else "right")
    stock = timings[-1].cost
    for timing in timings:
        cost = timing.cost
        numbers = (cost.wall_s, cost.cpu_s, cost.wall_s / submissions, cost.cpu_s / submissions)
        ratios = (stock.wall_s / cost.wall_s, stock.cpu_s / cost.cpu_s)
        table.add_row(timing.name, *(f"{number:.2f}" for number in numbers), *(f"{ratio:.1f}" for ratio in ratios))
    console = Console(highlight=False, width=120)
    console.print(table)
    console.print(f"CPU seconds: {stock.counted}. Machine: {machine()}.", markup=False)


def machine() -> str:
    """Its cores, its processor, and how busy others kept it, which makes the clock wrong."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, model = len(os.sched_getaffinity(0)), (models or [platform.machine()])[0]
    return f"{cores} cores, {model}, Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} at the end"


if __name__ == "__main__":
    main()

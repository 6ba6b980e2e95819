"""What grading costs: `course grade`, stock `nbgrader autograde` and the bare limit, on the same submissions.

    python tools/bench_grading.py --assignment attention_head --submissions 20 --picture docs/performance.svg

Half of the submissions are right, half are wrong programs of the course; each was run from top to bottom before it was
handed in. Stock nbgrader runs each notebook in a kernel of its own, with its public cells only, and scores what does
not raise; `course grade` runs the notebook and then every hidden check, behind a process border. What stands behind
the last answer it shows as handed in, unless nobody ran it (--not-run). Both write autograded/ and a gradebook, each in
a fresh copy of the course; stock nbgrader has its default settings. Each grades one submission for each of its
processes first, and then all, so that its start can be told from what each further submission takes.
tools/bare_limit.py says what the bare limit is.

CPU seconds compare where the machine is shared; for what the aims say of the clock nothing else should run.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cpu_account
import matplotlib as mpl
import matplotlib.pyplot as plt
import private_memory
from cpu_account import Cost
from nbclient import NotebookClient
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
FIRST = "student-0000"
CHECKS = 3
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#999999"
"""Okabe and Ito's colours, which colour-blind readers tell apart."""


@dataclass(frozen=True)
class Timing:
    """What one way of grading took: for a first few submissions, its start included, and for all of them."""

    name: str
    first: Cost
    all: Cost
    few: int
    """submissions in `first`: one for each process"""
    submissions: int

    @property
    def further(self) -> float:
        """CPU seconds of each submission beyond the first few."""
        return (self.all.cpu_s - self.first.cpu_s) / (self.submissions - self.few)


@dataclass(frozen=True)
class Measured:
    """All that one run found."""

    ours: Timing
    stock: Timing
    bare: dict[str, float]
    """CPU seconds for each submission: cells, calls, comparisons"""
    memory: private_memory.Held
    check: Cost
    """of `course check` from cold"""

    @property
    def limit(self) -> float:
        return self.bare["calls"] + self.bare["comparisons"]


def main() -> None:
    options = _options()
    slug, count = options.assignment, options.submissions
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        course = _handed_in(Path(folder) / "course", slug, count, not options.not_run)
        grade = [sys.executable, "-m", "autograde.cli", "grade", slug, "--jobs", str(options.jobs)]
        found = Measured(
            ours=_timed(f"course grade --jobs {options.jobs}", grade, course.root, slug, count, options.jobs),
            stock=_stock(Path(folder) / "stock", course, slug, count),
            bare=_bare(course, slug, count),
            memory=private_memory.peak([*grade, "--force"], course.root),
            check=_cold_check(course, slug),
        )
    _print(found, slug)
    if options.picture:
        draw(found, slug, options.picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="attention_head")
    parser.add_argument(
        "--submissions", type=int, default=20, help="half of them right, half wrong; more than there are jobs"
    )
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="processes of `course grade`")
    parser.add_argument("--not-run", action="store_true", help="hand in notebooks that nobody ran")
    parser.add_argument("--picture", type=Path, help="draw the costs into this SVG file")
    options = parser.parse_args()
    if options.submissions <= options.jobs:
        parser.error("--submissions must be more than --jobs, so that some come after the start")
    return options


def _handed_in(folder: Path, slug: str, submissions: int, run: bool) -> Course:
    course = copy_course(folder)
    release(course, [slug])
    hand_in_all(course, slug, submissions, run)
    return course


def _stock(folder: Path, course: Course, slug: str, submissions: int) -> Timing:
    """A plain nbgrader course: same source, the submissions of `course`, nbgrader's own settings."""
    programs = copy_course(folder / "programs")
    stage_if_stale(programs, slug)
    shutil.copytree(programs.stage / slug, folder / "source" / slug)
    (folder / "nbgrader_config.py").write_text(STOCK_CONFIG)
    nbgrader = [sys.executable, "-m", "nbgrader"]
    subprocess.run([*nbgrader, "generate_assignment", slug], cwd=folder, check=True, capture_output=True)
    shutil.copytree(course.root / "submitted", folder / "submitted")
    return _timed("nbgrader autograde", [*nbgrader, "autograde", slug], folder, slug, submissions, 1)


def hand_in_all(course: Course, slug: str, submissions: int, run: bool = True) -> None:
    """Right and wrong programs in turn, over and over; `run` from top to bottom before, as a student would."""
    folder = course.paths(slug).hidden_tests
    right, wrong = (itertools.cycle(sorted((folder / kind).glob("*.py"))) for kind in ("right", "wrong"))
    for number, path in zip(range(submissions), itertools.cycle((right, wrong)), strict=False):
        notebook = assemble(course, slug, read_program(next(path))[1])
        if run:
            NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=None).execute(
                cwd=str(course.root / "source")
            )
        hand_in(course, slug, f"student-{number:04}", notebook)


def _timed(name: str, command: list[str], folder: Path, slug: str, submissions: int, few: int) -> Timing:
    students = [word for number in range(few) for word in ("--student", f"student-{number:04}")]
    first = _graded([*command, *students], folder, slug, few)
    return Timing(name, first, _graded([*command, "--force"], folder, slug, submissions), few, submissions)


def _graded(command: list[str], folder: Path, slug: str, submissions: int) -> Cost:
    """Run it; a command that graded fewer submissions than it was given is no measurement."""
    status, output, cost = cpu_account.run(command, folder)
    graded = len(list(folder.glob(f"autograded/*/{slug}/{slug}.ipynb")))
    if status != 0 or graded != submissions:
        raise SystemExit(f"{' '.join(command)} graded {graded} of {submissions}:\n{output[-4000:]}")
    return cost


def _bare(course: Course, slug: str, submissions: int) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).parent / "bare_limit.py"), str(course.root), slug]
    environment = os.environ | {"MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return {part: seconds / submissions for part, seconds in json.loads(done.stdout).items()}


def _cold_check(course: Course, slug: str) -> Cost:
    """The middle one, by the clock, of a few."""
    file = course.paths(slug).submitted(FIRST) / f"{slug}.ipynb"
    command = [sys.executable, "-m", "autograde.cli", "check", str(file), "--assignment", slug]
    costs = []
    for _ in range(CHECKS):
        status, output, cost = cpu_account.run(command, course.root)
        if status != 0:
            raise SystemExit(f"course check ended with {status}:\n{output[-4000:]}")
        costs.append(cost)
    middle = statistics.median_low([cost.wall_s for cost in costs])
    return next(cost for cost in costs if cost.wall_s == middle)


def rows(found: Measured) -> list[tuple[str, str, str]]:
    """(what the aim is about, the aim, what was measured)."""
    ours, stock, check = found.ours, found.stock, found.check
    grader, submission = found.memory.graders[0] / 1e6, found.memory.submissions[0] / 1e6
    return [
        ("throughput, times nbgrader autograde's", "at least 25", f"{stock.all.wall_s / ours.all.wall_s:.1f}"),
        ("  the same in CPU seconds", "", f"{stock.all.cpu_s / ours.all.cpu_s:.1f}"),
        ("  the same, each further submission", "", f"{stock.further / ours.further:.1f}"),
        ("CPU, times the bare limit, each further submission", "at most 2", f"{ours.further / found.limit:.1f}"),
        ("  its start included", "", f"{ours.all.cpu_s / ours.submissions / found.limit:.1f}"),
        (
            "  if the limit includes the notebook's cells",
            "",
            f"{ours.further / (found.limit + found.bare['cells']):.1f}",
        ),
        ("private memory of a further worker, MB", "under 150", f"{grader + submission:.0f}"),
        ("  of the grader, of its submission", "", f"{grader:.0f} + {submission:.0f}"),
        ("course check, cold, s", "3", f"{check.wall_s:.1f} ({check.cpu_s:.1f} CPU s)"),
    ]


def _print(found: Measured, slug: str) -> None:
    console = Console(highlight=False, width=120)
    title = f"{found.ours.submissions} submissions of {slug}, half of them wrong"
    table = Table(title=title)
    for column in ("", "wall s", "CPU s", "wall s each", "CPU s each", "CPU s each further"):
        table.add_column(column, justify="right" if column else "left")
    for timing in (found.stock, found.ours):
        wall, cpu, count = timing.all.wall_s, timing.all.cpu_s, timing.submissions
        numbers = (wall, cpu, wall / count, cpu / count, timing.further)
        table.add_row(timing.name, *(f"{number:.2f}" for number in numbers))
    for part, seconds in found.bare.items():
        table.add_row(f"bare limit: {part}", *[""] * 4, f"{seconds:.3f}")
    console.print(table)
    aims = Table()
    for column in ("", "aim", "measured"):
        aims.add_column(column, justify="right" if column else "left")
    for row in rows(found):
        aims.add_row(*row)
    console.print(aims)
    console.print(f"CPU seconds: {found.ours.all.counted}. Machine: {machine()}.", markup=False)


def draw(found: Measured, slug: str, path: Path) -> None:
    """A bar for each way of grading: CPU seconds of each further submission."""
    mpl.rcParams["svg.hashsalt"] = "performance"  # the same picture gives the same bytes
    mpl.rcParams["svg.fonttype"] = "none"
    bars = {
        "calls and comparisons alone": (found.limit, GREY),
        "with the notebook's cells": (found.limit + found.bare["cells"], GREY),
        found.ours.name: (found.ours.further, BLUE),
        found.stock.name: (found.stock.further, VERMILION),
    }
    figure, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
    drawn = axes.barh(
        list(bars), [seconds for seconds, _ in bars.values()], color=[colour for _, colour in bars.values()]
    )
    axes.bar_label(drawn, fmt=" %.2f")
    axes.set(xlabel="CPU seconds of each further submission")
    axes.set_title(f"{found.ours.submissions} submissions of {slug}\n{machine()}", fontsize=9)
    axes.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def machine() -> str:
    """Its cores, its processor, and how busy others kept it, which makes the clock wrong."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, model = len(os.sched_getaffinity(0)), (models or [platform.machine()])[0]
    return f"{cores} cores, {model}, Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} at the end"


if __name__ == "__main__":
    main()

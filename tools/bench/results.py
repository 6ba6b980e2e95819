"""The table and the chart of tools/bench/grading.py."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from tools.bench import private_memory
from tools.bench.cpu_account import Cost

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#999999"
"""Okabe and Ito's colours, which colour-blind readers can distinguish."""


@dataclass(frozen=True)
class Timing:
    """The cost of one way of grading: of the first few submissions with the start-up, and of all submissions."""

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
    """All results of one run."""

    ours: Timing
    stock: Timing
    lower_bound: dict[str, float]
    """CPU seconds for each submission: cells, calls, comparisons"""
    memory: private_memory.Held
    check: Cost
    """the cost of `course check` with a cold start"""

    @property
    def bound_s(self) -> float:
        return self.lower_bound["calls"] + self.lower_bound["comparisons"]


def rows(found: Measured) -> list[tuple[str, str, str]]:
    """(subject of the target, the target, the measured value)."""
    ours, stock, check = found.ours, found.stock, found.check
    grader, submission = found.memory.graders[0] / 1e6, found.memory.submissions[0] / 1e6
    return [
        ("throughput, times nbgrader autograde's", "at least 25", f"{stock.all.wall_s / ours.all.wall_s:.1f}"),
        ("  the same in CPU seconds", "", f"{stock.all.cpu_s / ours.all.cpu_s:.1f}"),
        ("  the same, each further submission", "", f"{stock.further / ours.further:.1f}"),
        ("CPU, times the lower bound, each further submission", "at most 2", f"{ours.further / found.bound_s:.1f}"),
        ("  its start included", "", f"{ours.all.cpu_s / ours.submissions / found.bound_s:.1f}"),
        (
            "  if the bound includes the notebook's cells",
            "",
            f"{ours.further / (found.bound_s + found.lower_bound['cells']):.1f}",
        ),
        ("private memory of a further worker, MB", "under 150", f"{grader + submission:.0f}"),
        ("  of the grader, of its submission", "", f"{grader:.0f} + {submission:.0f}"),
        ("course check, cold, s", "3", f"{check.wall_s:.1f} ({check.cpu_s:.1f} CPU s)"),
    ]


def show(found: Measured, slug: str) -> None:
    console = Console(highlight=False, width=120)
    title = f"{found.ours.submissions} submissions of {slug}, half of them wrong"
    table = Table(title=title)
    for column in ("", "wall s", "CPU s", "wall s each", "CPU s each", "CPU s each further"):
        table.add_column(column, justify="right" if column else "left")
    for timing in (found.stock, found.ours):
        wall, cpu, count = timing.all.wall_s, timing.all.cpu_s, timing.submissions
        numbers = (wall, cpu, wall / count, cpu / count, timing.further)
        table.add_row(timing.name, *(f"{number:.2f}" for number in numbers))
    for part, seconds in found.lower_bound.items():
        table.add_row(f"lower bound: {part}", *[""] * 4, f"{seconds:.3f}")
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
    mpl.rcParams["svg.hashsalt"] = "performance"  # makes the SVG's bytes reproducible
    mpl.rcParams["svg.fonttype"] = "none"
    bars = {
        "calls and comparisons alone": (found.bound_s, GREY),
        "with the notebook's cells": (found.bound_s + found.lower_bound["cells"], GREY),
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
    """The machine's cores, processor and load; other load makes wall times unreliable."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, model = len(os.sched_getaffinity(0)), (models or [platform.machine()])[0]
    return f"{cores} cores, {model}, Python {platform.python_version()}; load {os.getloadavg()[0]:.1f} at the end"

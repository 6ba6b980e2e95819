"""Measures how close errors of right and wrong programs are to the tolerance: `python -m tools.bench.margins`.

Grades every right and wrong program of an assignment in this process, records for each check the largest error as
a multiple of the tolerance, prints the two margins and draws docs/margins/<slug>.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import multiprocessing
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib as mpl
import matplotlib.pyplot as plt
from torch import Tensor

from autograde.course import Work, load_course
from autograde.grading.grader import run_grader
from autograde.grading.options import Options
from autograde.isolation.preimports import list_zygote_modules
from autograde.isolation.zygote_client import Zygote
from autograde.notebooks.release import draft
from autograde.report import Report
from autograde.testing import difference
from autograde.testing.checks import Check
from autograde.testing.tolerance import Part
from autograde.verification.programs import (
    Kind,
    Program,
    build_submission,
    cut_experiments,
    list_programs,
)
from tools.bench import ROOT

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
"""Okabe and Ito's colours, which colour-blind readers can distinguish."""
SMALLEST, LARGEST = 1e-4, 1e8
"""Ratios outside this range are drawn at the edge: that of an exact answer is zero, that of NaN infinite."""


@dataclass(frozen=True)
class Margin:
    """The largest error of one program in one check, as a multiple of the tolerance."""

    program: Program
    check: str
    ratio: float


@dataclass
class Observer:
    """Records the largest ratio of every check that compares values."""

    largest: dict[str, float] = field(default_factory=dict)
    check: str = ""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        distance, run = difference.measure_distance, Check.run

        def noted(got: Tensor, part: Part) -> tuple[Tensor, Tensor]:
            expected, error = distance(got, part)
            self.largest[self.check] = max(self.largest.get(self.check, 0.0), ratio(error, part.allowed))
            return expected, error

        def named(check: Check, *args: Any) -> None:
            self.check = check.title
            run(check, *args)

        with patch.object(difference, "measure_distance", noted), patch.object(Check, "run", named):
            yield

    def taken(self) -> dict[str, float]:
        """The ratios recorded since the last call."""
        noted, self.largest = self.largest, {}
        return noted


def ratio(error: Tensor, allowed: Tensor) -> float:
    """The largest error / allowed; exact values count as 0, a NaN as infinity."""
    ratios = (error / allowed).where(error != 0, 0.0).nan_to_num(nan=math.inf, posinf=math.inf)
    return float(ratios.max()) if ratios.numel() else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slugs", nargs="*", help="default: all assignments")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "margins")
    options = parser.parse_args()
    course = load_course(ROOT)
    options.into.mkdir(parents=True, exist_ok=True)
    for slug in options.slugs or course.slugs:
        margins = measure(course.open(slug))
        print(summary(slug, margins))
        draw(course.open(slug).title, margins, options.into / f"{slug}.svg")


def measure(work: Work) -> list[Margin]:
    """One Margin for every program and check in which values were compared."""
    drafted = draft(work)
    programs = [program for kind in (Kind.RIGHT, Kind.WRONG) for program in list_programs(work, kind)]
    ours, theirs = multiprocessing.Pipe()
    observer = Observer()
    margins: list[Margin] = []

    def feed(connection: Connection) -> None:
        with contextlib.closing(connection):
            for program in programs:
                submission = cut_experiments(build_submission(work, program, drafted))
                connection.send((submission, Options(ignore_after=True)))
                report = connection.recv()
                if not isinstance(report, Report):
                    raise SystemExit(report)
                margins.extend(Margin(program, check, value) for check, value in observer.taken().items())

    with Zygote(modules=list_zygote_modules(work)) as zygote, observer.watching():
        zygote.wait_until_ready()
        feeder = threading.Thread(target=feed, args=[ours])
        feeder.start()
        run_grader([theirs], work, zygote.control, "cpu")
        theirs.close()
        feeder.join()
    return margins


def split(margins: list[Margin]) -> tuple[list[Margin], list[Margin]]:
    """The margins of right programs, and those of wrong programs in the checks that their values fail."""
    right = [margin for margin in margins if margin.program.kind is Kind.RIGHT]
    wrong = [margin for margin in margins if margin.program.kind is Kind.WRONG and margin.ratio > 1]
    return right, wrong


def summary(slug: str, margins: list[Margin]) -> str:
    right, wrong = split(margins)
    worst = max(right, key=lambda margin: margin.ratio)
    lines = [f"{slug}: the largest error of a right program is {worst.ratio:.2g} of what is allowed:", _told(worst)]
    lines.append(f"{slug}: the smallest errors by which a value of a wrong program is caught:")
    lines += [_told(margin) for margin in sorted(wrong, key=lambda margin: margin.ratio)[:5]]
    near = len([margin for margin in wrong if margin.ratio < 100])
    lines.append(f"{slug}: {len(wrong)} times a check caught wrong values, {near} of them by less than 100 times")
    best: dict[Program, float] = {}
    for margin in wrong:
        best[margin.program] = max(best.get(margin.program, 0.0), margin.ratio)
    if best:
        nearest = min(best, key=best.__getitem__)
        lines.append(
            f"{slug}: in its clearest check, the least clear of them is {nearest.label} with {best[nearest]:.3g} times"
        )
    return "\n".join(lines)


def _told(margin: Margin) -> str:
    return f"    {margin.ratio:.3g} times what is allowed: {margin.program.label}, {margin.check}"


def draw(title: str, margins: list[Margin], path: Path) -> None:
    right, wrong = split(margins)
    checks = list(dict.fromkeys(margin.check for margin in [*right, *wrong]))
    mpl.rcParams["svg.hashsalt"] = "margins"  # makes the SVG's bytes reproducible
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(figsize=(10, 1.6 + 0.32 * len(checks)), layout="constrained")
    for group, marker, colour, label in (
        (right, "o", BLUE, "right program"),
        (wrong, "x", VERMILION, "wrong program, caught by this check"),
    ):
        ratios = [min(max(margin.ratio, SMALLEST), LARGEST) for margin in group]
        rows = [checks.index(margin.check) for margin in group]
        axes.scatter(ratios, rows, marker=marker, s=28, c=colour, linewidths=1.2, alpha=0.8, label=label)
    axes.axvline(1, color=GREY, linestyle="--", label="tolerance")
    axes.set(
        xscale="log",
        xlim=(SMALLEST / 2, LARGEST * 2),
        xlabel="largest error / allowed error, in that check",
        title=title,
    )
    axes.set_yticks(range(len(checks)), [_short(check) for check in checks], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _short(check: str) -> str:
    return check if len(check) <= 60 else check[:57] + "…"


if __name__ == "__main__":
    main()

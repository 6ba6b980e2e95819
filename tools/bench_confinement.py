"""Times what each layer of the confinement adds to one submission with one check, side by side in one run.

    python tools/bench_confinement.py --rounds 40

Each round runs one submission (an empty cell, one check that calls one function) under every setting in turn, so that
whatever else the machine does falls on all of them alike. Medians, in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from autograde.asking.student import Student
from autograde.course import Limits
from autograde.grading.sandbox import RunningSubmission
from autograde.grading.warm import WarmProcess

LAYERS = ("namespaces", "tree", "landlock", "permits", "seccomp")
NEEDS = {"tree": ("tree", "namespaces")}
"""a layer that cannot be had alone"""
SETTINGS = (
    {"no layer": LAYERS}
    | {f"only {one}": tuple(x for x in LAYERS if x not in NEEDS.get(one, (one,))) for one in LAYERS}
    | {"all": ()}
)
CELLS = [("f", "def f(x):\n    return x")]
WARM_UP = 2
"""rounds that touch what the others find ready"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with ExitStack() as stack:
        warm = {name: stack.enter_context(WarmProcess(without=without)) for name, without in SETTINGS.items()}
        for process in warm.values():
            process.wait_until_ready()
        for _ in range(rounds + WARM_UP):
            for name, process in warm.items():
                times[name].append(one_submission(process))
    show({name: found[WARM_UP:] for name, found in times.items()})


def one_submission(warm: WarmProcess) -> float:
    """Milliseconds from the request for a worker to its end, with one check between."""
    start = time.perf_counter()
    with RunningSubmission(warm.control, CELLS, limits=Limits(), checks=1) as running, running.check(0) as channel:
        assert Student(channel).f(1) == 1
    return (time.perf_counter() - start) * 1e3


def show(times: dict[str, list[float]]) -> None:
    bare = times["no layer"]
    table = Table(title=f"One submission with one check, {len(bare)} rounds; milliseconds")
    for heading in ("setting", "median", "median of the differences"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for name, found in times.items():
        more = statistics.median(here - there for here, there in zip(found, bare, strict=True))
        table.add_row(name, f"{statistics.median(found):.1f}", f"{more:+.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()

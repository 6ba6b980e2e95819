"""Times what each layer of the confinement adds to one submission with one check, all in one run.

    python -m tools.bench.confinement --rounds 40
    python -m tools.bench.confinement --rounds 40 --cpu

Each round runs one submission (an empty cell, one check that calls one function) under every setting in turn, so that
other load on the machine affects all settings equally. It prints medians in milliseconds. On a busy machine wall times
are unreliable: `--cpu` counts the processor time of a session that applies the layers.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import struct
import tempfile
import time
from contextlib import ExitStack

from rich.console import Console
from rich.table import Table

from autograde.client.student import Student
from autograde.course import Limits
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import Zygote
from autograde.sockets import message_pair
from autograde.worker import confinement

LAYERS = ("namespaces", "tree", "landlock", "permits", "seccomp")
NEEDS = {"tree": ("tree", "namespaces")}
"""layer -> the layers that it needs, itself included"""
SETTINGS = (
    {"no layer": LAYERS}
    | {f"only {one}": tuple(x for x in LAYERS if x not in NEEDS.get(one, (one,))) for one in LAYERS}
    | {"all": ()}
)
CELLS = [("f", "def f(x):\n    return x")]
WARM_UP = 2
"""rounds that are not counted: they fill caches for the others"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--cpu", action="store_true", help="count processor time, of putting the layers on alone")
    chosen = parser.parse_args()
    rounds: int = chosen.rounds
    if chosen.cpu:
        show("Putting the layers on, processor time", processor_times(rounds))
        return
    times: dict[str, list[float]] = {name: [] for name in SETTINGS}
    with ExitStack() as stack:
        zygotes = {name: stack.enter_context(Zygote(without=without)) for name, without in SETTINGS.items()}
        for process in zygotes.values():
            process.wait_until_ready()
        for _ in range(rounds + WARM_UP):
            for name, process in zygotes.items():
                times[name].append(one_submission(process))
    show("One submission with one check", {name: found[WARM_UP:] for name, found in times.items()})


def one_submission(zygote: Zygote) -> float:
    """Milliseconds from the request for a worker to the worker's end, with one check in between."""
    start = time.perf_counter()
    with RunningSubmission(zygote.control, CELLS, limits=Limits(), checks=1) as running, running.check(0) as channel:
        assert Student(channel).f(1) == 1
    return (time.perf_counter() - start) * 1e3


def processor_times(rounds: int) -> dict[str, list[float]]:
    """Processor times of each setting, which `one_submission` cannot measure on a busy machine."""
    times: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for name, without in SETTINGS.items():
        ours, theirs = os.pipe()
        with tempfile.TemporaryDirectory() as home:
            if os.fork() == 0:  # isolates itself, as the zygote does once for all sessions
                confinement.ROOT = os.path.join(home, "root")
                layers = confinement.detect_layers(without)
                confinement.isolate_zygote(layers)
                for number in range(rounds + WARM_UP):
                    os.mkdir(scratch := os.path.join(home, str(number)))
                    os.write(theirs, struct.pack("d", session(layers, scratch)))
                os._exit(0)  # only this process sees the mounts below `home`, so it must not clean up there
            os.close(theirs)
            with open(ours, "rb") as results:
                times[name] = [1e3 * seconds for (seconds,) in struct.iter_unpack("d", results.read())][WARM_UP:]
            os.wait()
    return times


def session(layers: confinement.Layers, scratch: str) -> float:
    """Processor seconds that a fork of this process takes to apply the layers."""
    told, tell = os.pipe()
    here, there = message_pair()
    pid = os.fork()
    if pid == 0:
        start = time.process_time()
        confinement.apply_layers(layers, scratch, 1 << 20, "cpu", there)
        os.write(tell, struct.pack("d", time.process_time() - start))
        os._exit(0)
    _, listeners, _, _ = socket.recv_fds(here, 16, 1)
    os.waitpid(pid, 0)
    (seconds,) = struct.unpack("d", os.read(told, 8))
    for fd in (told, tell, *listeners):
        os.close(fd)
    here.close()
    there.close()
    return float(seconds)


def show(title: str, times: dict[str, list[float]]) -> None:
    bare = times["no layer"]
    table = Table(title=f"{title}, {len(bare)} rounds; milliseconds")
    for heading in ("setting", "median", "median of the differences"):
        table.add_column(heading, justify="left" if heading == "setting" else "right")
    for name, found in times.items():
        more = statistics.median(here - there for here, there in zip(found, bare, strict=True))
        table.add_row(name, f"{statistics.median(found):.1f}", f"{more:+.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Measures the CPU seconds of the student calls of a grading: `python -m tools.bench.lower_bound COURSE SLUG`.

For each submission in COURSE/submitted, in this one process and on one thread:

- not timed: its checks run once on their drawn inputs, and every request to the submission and every comparison with
  the oracle's expected values is recorded;
- `cells`: its cells run as plain Python, in a fresh namespace; figures are created, but not rendered;
- `calls`: the recorded requests, including those of shrinking, are repeated with these functions, on the same inputs
  and with the same random numbers;
- `comparisons`: the recorded answers are compared with the recorded expected values and tolerances again.

Not included: IPython, pytest, Hypothesis, encoding, pipes, forks, limits; what the oracle computes; the search for the
misconception behind an answer; importing torch. Callbacks return recorded answers.

Never use it for untrusted submissions: they run without confinement.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from autograde.client.errors import WorkerLostError
from autograde.client.student import Student
from autograde.course import Work, load_course
from autograde.notebooks.submitted import list_submitters, read_submitted
from autograde.testing import oracle
from autograde.testing.checks import Check
from autograde.testing.diagnosis import Evidence
from autograde.testing.difference import find_difference
from autograde.wire import Channel, decode
from autograde.worker.rpc_server import RpcServer

Cells = list[tuple[str, str]]
DATA = (bool, int, float, str, bytes, torch.Tensor, torch.dtype, torch.device)


@dataclass
class Record:
    """The requests of one check to one submission, and the comparisons of its answers."""

    frames: list[bytes] = field(default_factory=list)
    """the requests"""
    answers: list[Any] = field(default_factory=list)
    """answers of the grader's callbacks, in the order in which the submission called them"""
    comparisons: list[tuple[Any, ...]] = field(default_factory=list)


class RecordingChannel(Channel):
    """The submission's end of the channel; records every frame that it receives."""

    def __init__(self, read_fd: int, write_fd: int, record: Record) -> None:
        super().__init__(read_fd, write_fd)
        self.record = record

    def receive(self, deadline: float | None = None) -> Any:
        value = super().receive(deadline)
        if "op" in value:
            self.record.frames.append(self.whole)
        else:
            self.record.answers.append(value)
        return value

    def _read_first(self, size: int, deadline: float | None) -> bytes:
        self.whole = super()._read_first(size, deadline)  # called first for the header, then for the frame
        return self.whole


class Replaying(RpcServer):
    """Runs requests on Python values without encoding, with recorded answers of callbacks."""

    answers: Iterator[Any]

    def ask(self, number: int, args: Any, kwargs: Any, cotangents: Any = None) -> Any:
        answer = next(self.answers)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]


def main() -> None:
    course, slug = load_course(Path(sys.argv[1]).resolve()), sys.argv[2]
    torch.set_num_threads(1)
    sys.path.insert(0, str(course.root))
    os.chdir(course.root / "source")  # the notebooks' data is here
    checks = checks_of(course.open(slug))
    total = {"cells": 0.0, "calls": 0.0, "comparisons": 0.0}
    for student in list_submitters(course.open(slug)):
        cells = read_submitted(course.open(slug), student).cells
        for part, seconds in measured(cells, checks, course.seed).items():
            total[part] += seconds
    print(json.dumps(total))


def checks_of(work: Work) -> list[Check]:
    found = []
    for path in sorted(work.paths.hidden_tests.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"hidden_tests_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [made.check for made in vars(module).values() if isinstance(getattr(made, "check", None), Check)]
    return found


def measured(cells: Cells, checks: list[Check], seed: int) -> dict[str, float]:
    """CPU seconds of one submission, by part."""
    namespace, evidence = executed(cells), Evidence()
    records = [recorded(check, namespace, seed, evidence) for check in checks]
    start = time.process_time()
    namespace = executed(cells)
    seconds = {"cells": time.process_time() - start, "calls": 0.0, "comparisons": 0.0}
    for record in records:
        requests = [decode(frame) for frame in record.frames]
        start = time.process_time()
        replay(requests, record.answers, namespace, seed)
        middle = time.process_time()
        for comparison in record.comparisons:
            find_difference(*comparison)
        seconds["calls"] += middle - start
        seconds["comparisons"] += time.process_time() - middle
    return seconds


def executed(cells: Cells) -> dict[str, Any]:
    """The names that the cells define. A cell that raises does not stop the next, and magics are left out."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for name, source in cells:
        lines = [line for line in source.splitlines() if not line.startswith(("%", "!"))]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with contextlib.suppress(Exception):
                exec(compile("\n".join(lines), f"<cell {name}>", "exec"), namespace)
    return namespace


def recorded(check: Check, namespace: dict[str, Any], seed: int, evidence: Evidence | None = None) -> Record:
    """Run the check over pipes within this process, and record its requests and comparisons."""
    record = Record()
    (there, ours_out), (ours, there_out) = os.pipe(), os.pipe()
    server = RpcServer(RecordingChannel(there, there_out, record), dict(namespace), "cpu", seed)
    thread = threading.Thread(target=server.serve)
    thread.start()

    def noted(*arguments: Any) -> Any:
        record.comparisons.append(arguments)
        return find_difference(*arguments)

    channel = Channel(ours, ours_out)
    with contextlib.closing(channel), patch.object(oracle, "find_difference", noted):
        with contextlib.suppress(Exception, WorkerLostError):
            check.run(Student(channel), seed, evidence)
    thread.join()
    server.channel.close()
    return record


def replay(requests: list[dict[str, Any]], answers: list[Any], namespace: dict[str, Any], seed: int) -> None:
    """Repeat the requests of one check."""
    server = Replaying(Channel(-1, -1), dict(namespace), "cpu", seed)
    server.answers = iter(answers)
    for request in requests:
        if "begin" in request:
            server.begin()
        with contextlib.suppress(Exception):  # the submission raises the same exceptions again
            keep_objects(server, getattr(server, request["op"])(request)["value"])


def keep_objects(server: RpcServer, value: Any) -> None:
    """Number the objects in an answer as sending it would do, since later requests refer to these numbers."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            keep_objects(server, item)
    elif isinstance(value, dict):
        for item in value.values():
            keep_objects(server, item)
    elif not (value is None or isinstance(value, DATA)):
        server.store_object(value)


if __name__ == "__main__":
    main()

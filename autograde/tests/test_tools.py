"""The measuring tools measure what they say."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from hypothesis import given

from autograde.client.student import Student
from autograde.testing import Oracle, check, tensors
from autograde.testing.checks import Check
from autograde.tests.checked_course import make_checked_course, released_copy
from autograde.tests.tiny_course import SLUG

ROOT = Path(__file__).parents[2]
UNSEEN_CHILD = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while time.process_time() < 0.5:
        pass
    os._exit(0)
time.sleep(0.1)
"""


StudentAsked = tuple[list[str], dict[str, Any], Check]


@pytest.fixture
def student_asked() -> StudentAsked:
    """(names of the functions called so far, a submission that notes them, a check of it)."""
    calls: list[str] = []

    def twice(x: torch.Tensor) -> torch.Tensor:
        calls.append("twice")
        return x * 2

    def made(function: Callable[[Any], Any]) -> object:
        calls.append("made")
        kept = torch.nn.Linear(1, 1)
        kept.last = function(3)
        return kept

    oracle = Oracle(lambda x: x * 2)

    @check(points=1, examples=8)
    @given(tensors((2,)))
    def test_it(student: Student, x: torch.Tensor) -> None:
        """twice as much"""
        thing = student.made(lambda number: number + 1)
        assert thing.last == 4
        oracle.compare(student.twice(x), x)

    return calls, {"twice": twice, "made": made}, test_it.check


@pytest.mark.machine("control groups")
def test_cpu_account_counts_a_process_that_is_not_waited_for(tmp_path: Path) -> None:
    from tools.bench import cpu_account

    status, output, cost = cpu_account.run([sys.executable, "-c", UNSEEN_CHILD + "print('done')"], tmp_path)
    assert (status, output) == (0, "done\n")
    assert cost.counted == cpu_account.ITS_PROCESSES
    assert 0.5 <= cost.cpu_s < 2


@pytest.mark.long
def test_check_determinism_class_graded_twice_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    from tools import check_determinism

    monkeypatch.setattr(check_determinism, "SETTINGS", ((2, 0), (1, 2)))
    quick = ["--times", "2", "--wrong", "1", "--right", "1", "--cell-s", "5"]
    monkeypatch.setattr(sys, "argv", ["check_determinism", *quick])
    assert check_determinism.main() == 0


def test_margins_ratio_of_error_to_tolerance() -> None:
    from tools.bench.margins import ratio

    allowed = torch.tensor([0.5, 0.0, 2.0])
    assert ratio(torch.tensor([0.25, 0.0, 0.5]), allowed) == 0.5
    assert ratio(torch.tensor([0.0, 0.1, 0.0]), allowed) == math.inf
    assert ratio(torch.tensor([0.0, 0.0, math.nan]), allowed) == math.inf
    assert ratio(torch.zeros(0), torch.zeros(0)) == 0


MEASURED = """
import sys
from pathlib import Path
from autograde.course import load_course
from tools.bench.margins import measure

print(sorted({margin.program.label for margin in measure(load_course(Path(sys.argv[1])).open(sys.argv[2]))}))
"""


def test_margins_are_measured_for_right_and_wrong_programs(tmp_path: Path) -> None:
    course = make_checked_course(tmp_path)
    command = [sys.executable, "-c", MEASURED, str(course.root), SLUG]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["['right/other', 'wrong/adds', 'wrong/rows_left_alone']"], done.stderr


def test_scale_bench_measures_each_part_separately(monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.bench import scale

    clock = iter(10.0 + second for second in (1, 2, 3, 4, 6, 8, 10, 14))
    spent = iter([1, 1.5, 2, 2.5, 3.5, 4.5, 5.5, 7.5])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(scale.cpu_account, "so_far", lambda: next(spent))
    monkeypatch.setattr(scale, "held", lambda main: scale.Held(main=7))
    watch = scale.Watch(parts=2, start=10.0)
    for done in range(1, 9):
        watch.told(done, 8)
    assert [row[:3] for row in watch.rows()] == [(4, 1.0, 0.5), (8, 2.5, 1.25)]
    assert all(row[3].main == 7 for row in watch.rows())


def test_grading_bench_separates_the_start() -> None:
    from tools.bench.private_memory import Held
    from tools.bench.results import Cost, Measured, Timing, rows

    ours = Timing("ours", Cost(8, 10, ""), Cost(10, 19, ""), few=2, submissions=20)
    stock = Timing("stock", Cost(4, 8, ""), Cost(60, 84, ""), few=1, submissions=20)
    lower_bound = {"cells": 0.25, "calls": 0.2, "comparisons": 0.05}
    found = Measured(ours, stock, lower_bound, Held(graders=[50 * 10**6], submissions=[90 * 10**6]), Cost(3.5, 6, ""))
    assert ours.further == 0.5
    assert stock.further == 4
    measured = [measured for _, _, measured in rows(found)]
    assert measured == ["6.0", "4.4", "8.0", "2.0", "3.8", "1.0", "140", "50 + 90", "3.5 (6.0 CPU s)"]


def test_lower_bound_bench_sends_the_same_requests(student_asked: StudentAsked) -> None:
    """A program whose objects and calls of the grader's function matter: replayed, it is called as often."""
    from tools.bench import lower_bound

    calls, namespace, check = student_asked
    record = lower_bound.recorded(check, namespace, seed=3)
    before = len(calls)
    assert before == 16
    requests = [lower_bound.decode(frame) for frame in record.frames]
    lower_bound.replay(requests, record.answers, namespace, 3)
    assert calls[before:] == calls[:before]
    assert len(record.comparisons) == 8


def test_private_memory_bench_counts_by_kind_of_process() -> None:
    from tools.bench import private_memory

    hungry = "x = bytearray(b'1' * (64 << 20)); print(1, flush=True); sys.stdin.read()"
    guard = f"import os, sys; os.fork(); {hungry}"
    # A main process of its own: the one that tests has other children.
    run = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {guard!r}])"
    with subprocess.Popen([sys.executable, "-c", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as main:
        assert main.stdout
        main.stdout.readline(), main.stdout.readline()
        found = private_memory.held(psutil.Process(main.pid))
        main.communicate()
    assert 64 << 20 < found.zygote < 96 << 20
    assert [64 << 20 < held < 96 << 20 for held in found.submissions] == [True]


def test_grading_snapshot_submits_every_kind_of_program(checked_once: Path, tmp_path: Path) -> None:
    """Right programs, as many wrong ones as asked, and odd submissions; the same at every call."""
    from tools import grading_snapshot

    course = released_copy(checked_once, tmp_path)
    submissions = {each.student: each for each in grading_snapshot.make_class(course.root, SLUG, wrong=1)}
    assert list(submissions)[:2] == ["right-other", "wrong-adds"]
    assert {"solution", "untouched", "endless-cell", "endless-call", "crash", "late"} <= submissions.keys()
    assert submissions == {each.student: each for each in grading_snapshot.make_class(course.root, SLUG, wrong=1)}
    texts = {student: str(each.text) for student, each in submissions.items()}
    assert "return factor * x" in texts["right-other"]
    assert "product_of_both = x * factor" in texts["solution"]
    assert "product_of_both" not in texts["untouched"]
    assert "Because scaling is a linear map" in texts["solution"]
    assert "SOLUTION" not in texts["solution"]
    assert "One point for naming linearity" not in texts["solution"]

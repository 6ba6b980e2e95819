"""The measuring tools measure what they say."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

TOOLS = Path(__file__).parents[2] / "tools"
UNSEEN_CHILD = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    while time.process_time() < 0.5:
        pass
    os._exit(0)
time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))


def test_cpu_seconds_of_a_process_that_nobody_waits_for_count(tmp_path: Path) -> None:
    import cpu_account

    status, output, cost = cpu_account.run([sys.executable, "-c", UNSEEN_CHILD + "print('done')"], tmp_path)
    assert (status, output) == (0, "done\n")
    if cost.counted == cpu_account.WHOLE_MACHINE:
        pytest.skip("this account may not make control groups")
    assert 0.5 <= cost.cpu_s < 2


@pytest.mark.long
def test_a_class_graded_twice_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    import check_determinism

    monkeypatch.setattr(check_determinism, "SETTINGS", ((2, 0), (1, 2)))
    monkeypatch.setattr(check_determinism, "ENDLESS_S", 5)
    monkeypatch.setattr(sys, "argv", ["check_determinism", "--times", "2", "--wrong", "1", "--right", "1"])
    assert check_determinism.main() == 0


def test_ratio_of_error_to_tolerance() -> None:
    from plot_margins import ratio

    allowed = torch.tensor([0.5, 0.0, 2.0])
    assert ratio(torch.tensor([0.25, 0.0, 0.5]), allowed) == 0.5
    assert ratio(torch.tensor([0.0, 0.1, 0.0]), allowed) == math.inf
    assert ratio(torch.tensor([0.0, 0.0, math.nan]), allowed) == math.inf
    assert ratio(torch.zeros(0), torch.zeros(0)) == 0


def test_the_scale_bench_compares_quarters(monkeypatch: pytest.MonkeyPatch) -> None:
    import bench_scale

    clock = iter(10.0 + second for second in (1, 2, 3, 4, 6, 8, 10, 14))
    held = iter([5, 9, 5, 5, 5, 5, 7, 6])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(bench_scale, "memory", lambda: next(held))
    watch = bench_scale.Watch(start=10.0)
    for done in range(1, 9):
        watch.told(done, 8)
    assert watch.quarter(0) == (1.0, 9)
    assert watch.quarter(3) == (3.0, 7)


def test_memory_counts_the_children() -> None:
    import bench_scale

    alone = bench_scale.memory()
    hungry = "x = bytearray(b'1' * (64 << 20)); print(1, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", hungry], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        assert bench_scale.memory() - alone > 60 << 20
        child.communicate(b"\n")

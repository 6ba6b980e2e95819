"""The measuring tools measure what they say."""

from __future__ import annotations

import math
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
    monkeypatch.setattr(sys, "argv", ["check_determinism", "--times", "2", "--wrong", "1", "--right", "1"])
    assert check_determinism.main() == 0


def test_ratio_of_error_to_tolerance() -> None:
    from plot_margins import ratio

    allowed = torch.tensor([0.5, 0.0, 2.0])
    assert ratio(torch.tensor([0.25, 0.0, 0.5]), allowed) == 0.5
    assert ratio(torch.tensor([0.0, 0.1, 0.0]), allowed) == math.inf
    assert ratio(torch.tensor([0.0, 0.0, math.nan]), allowed) == math.inf
    assert ratio(torch.zeros(0), torch.zeros(0)) == 0

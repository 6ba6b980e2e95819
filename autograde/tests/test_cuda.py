"""The CUDA worker: its policy, which can be tried on any machine, and its work, which needs a card.

Tests that need a card, or a confinement that the machine does not offer, are skipped and say why.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import torch

from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch
from autograde.client.student import Student
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import Zygote, ZygoteError
from autograde.testing import contract
from autograde.tests.conftest import LIMITS

Start = Callable[..., RunningSubmission]
needs_a_card = pytest.mark.machine("CUDA", "confinement on CUDA")
needs_the_policy = pytest.mark.machine("confinement on CUDA")


@pytest.fixture
def on_cuda(zygote: Zygote) -> Iterator[Start]:
    """Runs one cell under the CUDA worker's policy: on_cuda("x = 1", checks=2, memory_bytes=...)."""
    with ExitStack() as stack:

        def start(cell: str, checks: int = 2, **limits: float) -> RunningSubmission:
            bounds = replace(LIMITS, **({"check_wall_s": 60, "check_cpu_s": 60} | limits))
            running = RunningSubmission(
                zygote.control, [("cell", cell)], limits=bounds, checks=checks, device="cuda", seed=7
            )
            return stack.enter_context(running)

        yield start


TRIES = """
import os, socket, threading
def tried(attempt):
    try:
        attempt()
    except OSError:
        return False
    return True
def name_threads():
    done = []
    def write():
        thread = threading.get_native_id()
        done.append(tried(lambda: open(f"/proc/self/task/{thread}/comm", "w").write("worker")))
    for _ in range(2):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    return done
"""


@needs_the_policy
def test_cuda_threads_may_be_named(on_cuda: Start) -> None:
    """As the driver does it, in the notebook and in each check."""
    running = on_cuda(TRIES + "assert name_threads() == [True, True]")
    assert running.cells[0].error == ""
    for number in range(2):
        with running.check(number) as channel:
            assert Student(channel).name_threads() == [True, True]


@needs_the_policy
@pytest.mark.parametrize(
    "attempt",
    [
        # Opened only: nothing is ever written there.
        "open('/proc/sys/kernel/core_pattern', 'a')",
        "open('/proc/sysrq-trigger', 'a')",
        "open('/proc/GRADER/environ', 'rb').read()",
        "open('/proc/GRADER/mem', 'rb')",
        "open('/proc/GRADER/fd/0', 'rb')",
        "os.listdir('/home')",
        "socket.socket()",
        "os.execv('/bin/true', ['true'])",
        "os.kill(GRADER, 0)",
        "os.fork() or os._exit(0)",
    ],
)
def test_cuda_denies_what_is_denied_on_the_cpu(on_cuda: Start, attempt: str) -> None:
    attempt = attempt.replace("GRADER", str(os.getpid()))
    running = on_cuda(f"{TRIES}\ndef f():\n    return tried(lambda: {attempt})")
    with running.check(0) as channel:
        assert Student(channel).f() is False


@needs_the_policy
def test_cuda_memory_in_use_is_limited(on_cuda: Start) -> None:
    """A reservation of a terabyte, as a driver makes, is fine; touching more than allowed is not."""
    reserve = "import mmap, time\nroom = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE | 0x4000)\n"
    fine = on_cuda(reserve + "room[0:1] = b'x'", memory_bytes=200 << 20)
    assert fine.problem == fine.cells[0].error == ""
    greedy = on_cuda("import time\nhoard = bytearray(b'x') * (500 << 20)\ntime.sleep(5)", memory_bytes=200 << 20)
    assert "memory" in greedy.problem


@pytest.mark.machine("root")
def test_cuda_root_gets_no_writable_proc_without_a_file_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    with Zygote(without=("tree",)) as zygote:
        zygote.wait_until_ready()
        with pytest.raises(ZygoteError, match="could not be confined .*grade under another account"):
            RunningSubmission(zygote.control, [], limits=LIMITS, checks=1, device="cuda")


@needs_a_card
def test_cuda_computes_under_the_whole_confinement(on_cuda: Start) -> None:
    source = "import torch\ndef f(x):\n    return (x @ x.mT).softmax(-1), str(x.device)"
    running = on_cuda(source, checks=3)
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    for number in range(3):
        with running.check(number) as channel:
            value, device = Student(channel, device="cuda").f(x)
            assert device.startswith("cuda")
            torch.testing.assert_close(value, (x @ x.mT).softmax(-1), rtol=1e-4, atol=1e-5)


@needs_a_card
def test_cuda_gradients_optimizers_and_half_precision_work(on_cuda: Start) -> None:
    source = """
import torch
def train(x):
    layer = torch.nn.Linear(8, 8, device=x.device)
    optimizer = torch.optim.AdamW(layer.parameters())
    for _ in range(3):
        with torch.autocast("cuda", torch.bfloat16):
            loss = layer(x).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()
"""
    with on_cuda(source).check(0) as channel:
        assert Student(channel, device="cuda").train(torch.ones(2, 8)) >= 0


@needs_a_card
def test_cuda_device_assertion_costs_one_check(on_cuda: Start) -> None:
    source = "import torch\ndef bad(x):\n    return torch.zeros(10, device=x.device)[x.long() + 10**9].sum().item()\n"
    running = on_cuda(source + "def good(x):\n    return x + 1", checks=2)
    with pytest.raises((StudentError, WorkerLostError)), running.check(0) as channel:
        Student(channel, device="cuda").bad(torch.ones(3))
    with running.check(1) as channel:
        assert Student(channel, device="cuda").good(torch.ones(1)).item() == 2


@needs_a_card
def test_cuda_tensor_left_on_the_cpu_is_noticed(on_cuda: Start) -> None:
    source = "import torch\ndef f(x):\n    return torch.zeros(x.shape)\ndef g(x):\n    return torch.zeros_like(x)"
    running = on_cuda(source)
    with pytest.raises(Mismatch, match="left on the CPU"), running.check(0) as channel:
        contract.follows_device(Student(channel, device="cuda").f, torch.ones(2))
    with running.check(1) as channel:
        contract.follows_device(Student(channel, device="cuda").g, torch.ones(2))

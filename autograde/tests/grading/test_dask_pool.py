"""Grading on a real Dask cluster of several processes gives the same reports, also when a worker dies on the way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograde.course import Course, Limits
from autograde.grading.dask_pool import DaskPool
from autograde.grading.pool import GraderError
from autograde.notebooks.release import assemble, release
from autograde.tests.checked_course import make_checked_course
from autograde.tests.commands import course_here
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, submit

pytestmark = [pytest.mark.long, pytest.mark.needs("distributed")]
WORKERS = 2
EACH = 2
ANSWERS = {"right": "return x * factor", "adds": "return x + factor", "endless": "while True: pass"}


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "distributed.cli." + words[0], *words[1:]]
    return subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and workers on loopback: (its address, the workers)."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
    options = (
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        "--local-directory",
        str(tmp_path_factory.mktemp("dask")),
    )
    workers = [start("dask_worker", address, "--host", "127.0.0.1", *options) for _ in range(WORKERS)]
    try:
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A class in which every kind of answer is there twice, some of them slow."""
    made = make_checked_course(tmp_path_factory.mktemp("cluster"))
    made = write_config(replace(made, limits=Limits(check_cpu_s=1, cell_wall_s=3)))
    release([made.open(SLUG)])
    for name, body in ANSWERS.items():
        for number in range(EACH):
            cell = f"def scale(x, factor):\n    {body}"
            submit(made, f"{name}{number}", assemble(made.open(SLUG), {"scale": cell, "why": f"Because {number}."}))
    return made


def reports(course: Course) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in course.open(SLUG).paths.reports.glob("*.json")}


@pytest.mark.filterwarnings("default")  # Dask's own, about its threads and loops
@pytest.mark.parametrize(
    ("address", "device", "said"),
    [
        ("", "cuda", 'start some with --resources "GPU=1"'),
        ("tcp://127.0.0.1:9", "cpu", "no Dask scheduler answers"),
        ("nonsense://x", "cpu", "no Dask scheduler answers"),
    ],
)
def test_dask_pool_reports_what_the_cluster_lacks(
    course: Course,
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    device: str,
    said: str,
) -> None:
    with DaskPool(course.open(SLUG), 1, "auto", address=cluster[0]) as pool:
        assert pool.device == "cpu", "no worker offers a GPU"
    monkeypatch.setattr("autograde.grading.dask_pool.WORKERS_S", 3)
    with pytest.raises(GraderError, match=said):
        DaskPool(course.open(SLUG), 1, device, address=address or cluster[0])


def test_dask_pool_reports_the_same_although_a_worker_is_killed(
    course: Course, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    assert course_here(course, "grade", SLUG, "--jobs", "2").returncode == 0
    local = reports(course)
    assert len(local) == EACH * len(ANSWERS)
    before = len(course.log.read_bytes().splitlines())
    command = [sys.executable, "-m", "autograde.cli", "grade", SLUG, "--force", "--dask", address]
    grading = subprocess.Popen(
        command, cwd=course.root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while len(course.log.read_bytes().splitlines()) == before and time.monotonic() < deadline:
        assert grading.poll() is None, grading.communicate()
        time.sleep(0.05)
    workers[0].kill()
    assert grading.poll() is None, "the worker must be killed while there is work"
    _, errors = grading.communicate(timeout=300)
    assert grading.returncode == 0, errors
    assert reports(course) == local
    assert len(course.log.read_bytes().splitlines()) == before + len(local)

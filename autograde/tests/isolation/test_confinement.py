"""The confinement: what it denies, that it is proven before each run, and that nothing weaker passes unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograde.cli.console import describe_confinement
from autograde.client.student import Student
from autograde.course import Confinement, Course
from autograde.isolation import confinement_probes, scratch_folder
from autograde.isolation.confinement_probes import (
    ConfinementError,
    describe_confinement_level,
    find_breaches,
    find_level,
    list_absent_layers,
    probe_confinement,
)
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import Zygote, ZygoteError, list_site_folders
from autograde.report import ConfinementLevel
from autograde.tests.conftest import LIMITS, Run
from autograde.tests.tiny_course import make_course
from autograde.worker.quota import Quota

ALL = {"landlock": 7, "seccomp": True, "permits": True, "namespaces": True, "tree": True}


@pytest.fixture(scope="module")
def unconfined() -> Iterator[Zygote]:
    with Zygote(without=("landlock", "seccomp", "permits", "namespaces")) as process:
        process.wait_until_ready()
        yield process


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_course(tmp_path)


@pytest.mark.machine("landlock", "seccomp", "permits")
def test_confinement_level_is_announced_and_verified(zygote: Zygote, course: Course) -> None:
    assert find_level(zygote.layers) == "B"
    found = probe_confinement(zygote, course)
    assert (found.level, found.confined, found.layers[0]) == ("B", True, "landlock")
    assert describe_confinement(found).startswith("level B: process boundary, limits, Landlock")
    assert ("a file tree of its own" in list_absent_layers(zygote.layers)) is not zygote.layers["tree"]


def test_confinement_probes_all_succeed_without_layers(unconfined: Zygote, course: Course) -> None:
    """Without this, a probe that always fails would prove anything."""
    unconfined.layers = dict(ALL)
    through = find_breaches(unconfined, course.root)
    unconfined.layers = dict.fromkeys(ALL, 0)
    assert "a submission can read the course" in through
    assert "a submission can use the network" in through
    assert "a submission can signal the grader" in through
    assert "a submission can start a process" in through
    assert len([text for text in through if text.startswith("a submission can ")]) >= 8
    assert not [path for path in course.root.iterdir() if "canary" in path.name]


@pytest.mark.parametrize(
    ("absent", "noticed"),
    [
        (("landlock", "tree"), ["read the course"]),
        # Each of these has a probe that no other layer stops.
        (("tree", "seccomp", "permits"), ["see that the course exists", "open a socket", "start a process"]),
    ],
    ids=lambda words: " and ".join(words),
)
def test_confinement_layer_that_does_not_hold_stops_the_run(
    absent: tuple[str, ...], noticed: list[str], course: Course
) -> None:
    with Zygote(without=absent) as zygote:
        zygote.wait_until_ready()
        zygote.layers = dict(ALL)
        with pytest.raises(ConfinementError, match="not confined by the detected layers") as refused:
            probe_confinement(zygote, course)
    assert [probe for probe in noticed if f"a submission can {probe}" not in str(refused.value)] == []


def test_confinement_weaker_machine_is_refused_until_accepted(unconfined: Zygote, course: Course) -> None:
    with pytest.raises(
        ConfinementError, match=r"level G: without Landlock .against reading.*Confinement\.WEAKER_ACCEPTED"
    ):
        probe_confinement(unconfined, course)
    accepted = replace(course, confinement=Confinement.WEAKER_ACCEPTED)
    nothing = ConfinementLevel(level="G", confined=False, layers=[])
    assert probe_confinement(unconfined, accepted) == nothing
    assert probe_confinement(unconfined, course, untrusted=False) == nothing


LEVELS = {
    "B": [ALL, ALL | {"tree": False}, ALL | {"tree": False, "namespaces": False}],
    "C": [ALL | {"landlock": 0}],
    "G": [{}, ALL | {"seccomp": False}, ALL | {"permits": False}, {"landlock": 7}],
}


@pytest.mark.parametrize(("level", "layers"), [(level, layers) for level, found in LEVELS.items() for layers in found])
def test_confinement_level_follows_from_the_layers(level: str, layers: dict[str, object]) -> None:
    found = describe_confinement_level(layers)
    assert (found.level, found.confined) == (level, level in "BC")
    text = describe_confinement(found)
    assert text.startswith(f"level {level}")
    assert ("NOT confined" in text) is (level == "G")
    for name in list_absent_layers(layers):
        assert name in text.partition("; without ")[2]


@given(st.fixed_dictionaries({layer: st.booleans() for layer in ALL}), st.sampled_from(sorted(ALL)))
def test_confinement_level_never_improves_without_a_layer(layers: dict[str, bool], lost: str) -> None:
    assert find_level(layers) <= find_level(layers | {lost: False})


def test_zygote_refuses_a_system_other_than_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the refusal: the platform's name is faked where it is asked for."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ZygoteError, match="submissions run only on Linux, not on darwin"):
        Zygote()


def test_confinement_probes_refuse_a_machine_that_lists_no_processes(
    zygote: Zygote, monkeypatch: pytest.MonkeyPatch, course: Course
) -> None:
    monkeypatch.setattr(confinement_probes, "sees_processes", lambda: False)
    with pytest.raises(ConfinementError, match="the processes of a submission cannot be listed"):
        probe_confinement(zygote, course, untrusted=False)


@pytest.mark.machine("permits")
def test_confinement_threads_that_fork_get_no_process(run: Run) -> None:
    """Threads that fork all the time get no process and spoil no check."""
    source = """
import os, threading
started = []
def fork_for_ever():
    while True:
        try:
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            started.append(pid)
        except OSError:
            pass
for _ in range(4):
    threading.Thread(target=fork_for_ever, daemon=True).start()
def f():
    return len(started)
"""
    with run(source, checks=3) as running:
        for number in range(3):
            with running.check(number) as channel:
                assert Student(channel).f() == 0


def test_scratch_folder_size_is_limited(run: Run, zygote: Zygote) -> None:
    source = "import time\nfor n in range(60): open(str(n), 'wb').write(bytes(1 << 20))\ntime.sleep(5)"
    with run(source, scratch_bytes=20 << 20, cell_wall_s=8) as running:
        if zygote.layers["tree"]:
            assert "No space left" in running.cells[0].error
        else:
            assert "disk" in running.problem
            assert running.fatal_cell == "cell-0"


@pytest.mark.parametrize("what", ["deep", "closed"])
def test_scratch_folder_with_unreadable_folders_exceeds_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    quota = Quota(str(tmp_path), 1 << 20)
    (tmp_path / "folder").mkdir()
    assert not quota.exceeded()
    if what == "deep":
        monkeypatch.chdir(tmp_path)
        for _ in range(25):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    else:  # for root no mode closes anything, so the refusal is made here
        look = os.scandir
        refuse = PermissionError(13, "closed")
        monkeypatch.setattr(os, "scandir", lambda path: look(path) if path == str(tmp_path) else raises(refuse))
    assert quota.exceeded()


def raises(error: OSError) -> Any:
    raise error


def test_scratch_folder_is_removed_whatever_it_contains() -> None:
    folder = scratch_folder.make([Path(__file__)])
    assert (Path(folder) / "data" / Path(__file__).name).exists()
    here = os.getcwd()
    os.chdir(folder)
    try:
        for depth in range(3000):
            os.mkdir("closed", 0o000) if depth % 2 else Path("file").write_text("x")
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    scratch_folder.remove(folder)
    assert not os.path.exists(folder)


def test_scratch_folder_has_space_for_a_checkpoint(run: Run) -> None:
    source = "import tempfile, torch\nwith tempfile.TemporaryDirectory() as folder:\n    torch.save({'w': torch.ones(9)}, folder + '/c.pt')\n"
    source += "    assert torch.load(folder + '/c.pt')['w'].sum() == 9\nopen('notes.txt', 'w').write('x')"
    with run(source) as running:
        assert running.cells[0].error == ""


@pytest.mark.parametrize(
    "source",
    [
        "import torch\nx = torch.randn(64, 64, requires_grad=True)\n(x @ x).softmax(-1).sum().backward()\ntorch.linalg.svd(x)",
        "import torch\nl = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)\nl(torch.ones(1, 3, 8)).sum().backward()",
        "import torch\nw = torch.nn.Parameter(torch.ones(3))\no = torch.optim.AdamW([w])\nw.sum().backward()\no.step()",
        "import torch\nd = torch.utils.data.DataLoader(torch.arange(6.), batch_size=2)\nassert len(list(d)) == 3",
        "import torch\nwith torch.autocast('cpu', torch.bfloat16):\n    torch.ones(2, 2) @ torch.ones(2, 2)",
        "import torch\ntorch.set_num_threads(4)\ntorch.ones(500, 500) @ torch.ones(500, 500)",
        "import numpy, json, logging, dataclasses, statistics\nnumpy.fft.fft(numpy.ones(8))\nlogging.warning('x')",
        "import concurrent.futures as c\nwith c.ThreadPoolExecutor(2) as e:\n    assert list(e.map(abs, [-1])) == [1]",
        "import time, datetime, zoneinfo\ndatetime.datetime.now(zoneinfo.ZoneInfo('Europe/Berlin'))\ntime.sleep(0.01)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.savefig('picture.png')\nplt.show()",
        "import asyncio\nawait asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))",
        "import hashlib, random, secrets, uuid\nsecrets.token_hex(4), uuid.uuid4(), random.SystemRandom().random()",
    ],
)
def test_confinement_allows_honest_code(run: Run, source: str) -> None:
    with run(source, cell_wall_s=300, notebook_wall_s=600) as running:
        assert running.cells[0].error == ""


def test_confinement_environment_may_be_in_the_temporary_folder() -> None:
    """As in a course below /tmp."""
    with tempfile.TemporaryDirectory() as site:
        (Path(site) / "beside_scratch.py").write_text("FOUND = 5")
        with Zygote(sites=(*list_site_folders(), site)) as zygote:
            zygote.wait_until_ready()
            for _ in range(2):
                cells = [("cell", "import beside_scratch\nopen('own', 'w').write('x')")]
                with RunningSubmission(zygote.control, cells, limits=LIMITS, checks=1) as running:
                    assert running.cells[0].error == ""


def test_confinement_checks_run_in_several_submissions_at_once(zygote: Zygote) -> None:
    found: list[int] = []

    def grade() -> None:
        cells = [("f", "def f(x):\n    return x + 1")]
        with RunningSubmission(zygote.control, cells, limits=LIMITS, checks=2) as running:
            for number in range(2):
                with running.check(number) as channel:
                    found.append(Student(channel).f(number))

    threads = [threading.Thread(target=grade) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert sorted(found) == [1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.machine("tree")
@pytest.mark.parametrize("name", ["plain", "José 2027", "back\\slash and\ttab"])
def test_confinement_file_tree_may_be_below_any_name(tmp_path: Path, name: str) -> None:
    """An environment in such a home folder is hung into the submissions' tree like any other."""
    folder, own = tmp_path / name, tmp_path / "own"
    folder.mkdir()
    own.mkdir()
    environment = os.environ | {"TMPDIR": str(own)}
    tries = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from autograde.worker import confinement\nprint(confinement.detect_layers().tree)"
    )
    command = [sys.executable, "-c", tries]
    here, there = (
        subprocess.run([*command, str(place)], capture_output=True, text=True, env=environment, check=True).stdout
        for place in ("/usr/share", folder)
    )
    assert there == here

"""The worker: runs a notebook as Jupyter would, answers checks, and always ends."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from autograde.client.calls import watch_call
from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.student import Student
from autograde.isolation.running_submission import RunningSubmission, WorkerCrashedError, WorkerTimeoutError
from autograde.isolation.zygote_client import WardenLostError, Zygote
from autograde.tests.conftest import LIMITS, Run


def test_running_submission_calls_functions_with_copies(run: Run) -> None:
    x = torch.arange(3.0)
    with run("def f(x, *, by):\n    return {'y': x.mul_(by)}") as running, running.check(0) as channel:
        function = Student(channel).f
        assert function(x, by=2)["y"].equal(torch.tensor([0.0, 2.0, 4.0]))
        assert x.equal(torch.arange(3.0))
        assert watch_call(function, (x,), {"by": 2}) == ([True], [True])


def test_running_submission_keeps_objects_behind_handles(run: Run) -> None:
    source = "import torch\nclass L(torch.nn.Module):\n def __init__(s):\n  super().__init__(); s.l = torch.nn.Linear(2, 1)\n"
    source += " def forward(s, x):\n  return s.l(x) * (1 if s.training else 5)"
    with run(source) as running, running.check(0) as channel:
        layer = Student(channel).L()
        layer.load_state_dict({"l.weight": torch.ones(1, 2), "l.bias": torch.zeros(1)})
        assert layer(torch.ones(1, 2)).item() == 2
        assert layer.eval()(torch.ones(1, 2)).item() == 10
        assert sorted(layer.named_parameters()) == ["l.bias", "l.weight"]
        _, gradients = Student(channel).gradients(layer, torch.ones(1, 2))
        assert gradients["l.bias"].item() == 5


def test_callback_passes_gradients_through(run: Run) -> None:
    with run("def g(x):\n    return x * 0\ndef f(x):\n    return g(x) + 1") as running, running.check(0) as channel:
        student = Student(channel)
        student.supply(g=lambda x: x**2)
        value, gradients = student.gradients(student.f, torch.tensor([3.0]))
        assert (value.item(), gradients[0].item()) == (10, 6)
        student._rpc.begin()
        assert student.f(torch.tensor([3.0])).item() == 1


def test_callback_calls_are_counted_by_the_grader(run: Run) -> None:
    calls = []
    with run("def f(model):\n    return [model(i) for i in range(3)]") as running, running.check(0) as channel:
        assert Student(channel).f(lambda i: calls.append(i) or i * i) == [0, 1, 4]
    assert calls == [0, 1, 2]


def test_notebook_cells_run_as_in_jupyter(run: Run) -> None:
    cells = [
        "%%capture out\nprint('hid')",
        "import asyncio\nawait asyncio.sleep(0)\n40 + 2",
        "1 / 0",
        "print('on')",
        "x = (:",
    ]
    with run(*cells) as running:
        outputs = [cell.outputs for cell in running.cells]
        assert outputs[0] == []
        assert outputs[1][0]["data"]["text/plain"] == "42"
        assert running.cells[2].error.startswith("ZeroDivisionError in line 1")
        assert outputs[3] == [{"output_type": "stream", "name": "stdout", "text": "on\n"}]
        assert running.cells[4].error == "SyntaxError in line 1: invalid syntax"


def test_notebook_stops_an_endless_cell_and_runs_the_next(run: Run) -> None:
    with run("while True: pass", "def f(): return 1", cell_wall_s=1) as running, running.check(0) as channel:
        assert "stopped" in running.cells[0].error
        assert Student(channel).f() == 1


def test_notebook_outputs_hide_run_dependent_text(run: Run) -> None:
    """Addresses, paths of the scratch folder and the like are not in the report."""
    source = "import os\nclass Thing: pass\nprint(os.getcwd(), Thing())\nThing()"
    fails = "raise OSError(1, 'x', os.getcwd() + '/y')"
    first, second = (run(source, fails).cells for _ in range(2))
    assert first == second
    assert first[0].outputs[0]["text"] == "~ <__main__.Thing object at 0x…>\n"
    assert first[1].error == "PermissionError in line 1: [Errno 1] x: '~/y'"


def test_notebook_output_is_limited(run: Run) -> None:
    with run("for _ in range(10_000): print('x' * 1000)", output_bytes=5000) as running:
        assert sum(len(str(cell.outputs)) for cell in running.cells) < 7000


@pytest.mark.parametrize(
    "source",
    [
        "print('\u2588' * 700_000)",
        "for _ in range(400_000): print(end='\u2588')",
        "print('x' * 1_100_000)",
        "from IPython.display import display, HTML\nfor _ in range(30_000): display(HTML('<b>'))",
        "import sys\nfor n in range(30_000): print(n, file=sys.stderr if n % 2 else sys.stdout)",
    ],
)
def test_notebook_cell_may_print_all_that_the_course_allows(run: Run, source: str) -> None:
    with run(source, "print('on')", output_bytes=1 << 20, cell_wall_s=60, notebook_wall_s=90) as running:
        assert running.problem == ""
        assert [cell.error for cell in running.cells] == ["", ""]
        first, *_, last = running.cells[0].outputs
        assert len(str(running.cells[0].outputs)) > 200_000
        assert first != last
        assert "output cut here" in last["text"]
        assert running.cells[1].outputs[0]["text"] == "on\n"


def test_notebook_million_short_prints_take_seconds(run: Run) -> None:
    source = "import sys\nfor _ in range(1_000_000): sys.stdout.write('.')"
    with run(source, "print('on')", output_bytes=1 << 20, cell_wall_s=30, notebook_wall_s=60) as running:
        assert running.problem == ""
        assert running.cells[0].error == ""
        assert len(running.cells[0].outputs[0]["text"]) == 1_000_000


def test_notebook_exit_ends_nothing(run: Run) -> None:
    with run("x = 1\nexit()", "quit()\ndef f(): return x") as running, running.check(0) as channel:
        assert [cell.error for cell in running.cells] == ["", ""]
        assert "do nothing while your work is graded" in running.cells[0].outputs[0]["text"]
        assert Student(channel).f() == 1


def test_running_submission_goes_on_after_a_crash_or_a_loop(run: Run) -> None:
    """The other checks still run."""
    source = "import ctypes\ndef die(): ctypes.string_at(0)\ndef loop():\n    while True: pass\ndef f(): return 1"
    with run(source, checks=3) as running:
        with pytest.raises(WorkerLostError, match="ended"), running.check(0) as channel:
            Student(channel).die()
        with pytest.raises(WorkerLostError) as lost, running.check(1) as channel:
            Student(channel, wall_s=0.5).loop()
        assert lost.value.timed_out
        with running.check(2) as channel:
            assert Student(channel).f() == 1


@pytest.mark.parametrize(
    "source", ["import os; os._exit(3)", "import ctypes; ctypes.string_at(0)", "import os; os.closerange(3, 99)"]
)
def test_running_submission_ended_by_its_notebook_fails_every_check(run: Run, source: str) -> None:
    with run(source) as running, pytest.raises((WorkerCrashedError, WorkerTimeoutError)), running.check(0):
        pass


def test_running_submission_distinguishes_missing_names_from_exceptions(run: Run) -> None:
    with run("def f(x):\n    return x / 0") as running, running.check(0) as channel:
        student = Student(channel)
        with pytest.raises(StudentError, match="defines no `g`") as missing:
            student.g()
        assert missing.value.missing
        with pytest.raises(StudentError) as error:
            student.f(1)
        assert error.value.traceback == "cell cell-0, line 2: return x / 0"


def test_running_submission_garbage_on_the_wire_fails_the_submission(run: Run) -> None:
    source = "import os\ndef f():\n    for fd in range(3, 20):\n        try: os.write(fd, b'LMK1' + b'x' * 100)\n        except OSError: pass"
    with run(source) as running, pytest.raises(WorkerLostError, match="disturbed"), running.check(0) as channel:
        Student(channel).f()


def test_warden_kills_a_daemon_where_forks_need_no_permit(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    source = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({str(mark)!r}, "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
os.wait()
while not os.path.exists({str(mark)!r}):
    time.sleep(0.01)
time.sleep(0.05)
"""
    with Zygote(without=("landlock", "tree", "seccomp", "permits")) as open_to_all:
        open_to_all.wait_until_ready()
        with RunningSubmission(open_to_all.control, [("daemon", source)], limits=LIMITS, checks=1) as running:
            assert not running.cells[0].error
    deadline = time.monotonic() + 60
    while Path(f"/proc/{mark.read_text()}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_worker_knows_nothing_of_the_course(run: Run) -> None:
    os.environ["COURSE_SECRET"] = "seen"
    source = """
import os, sys
def is_open(fd):
    try:
        return bool(os.fstat(fd))
    except OSError:
        return False
def f():
    return [sorted(os.environ), [m for m in sys.modules if "autograde" in m], [fd for fd in range(99) if is_open(fd)]]
def g():
    import reference_impl
"""
    with run(source) as running, running.check(0) as channel:
        student = Student(channel)
        names, modules, fds = student.f()
        assert "COURSE_SECRET" not in names
        known = ("autograde.worker", "autograde.wire", "autograde.sockets", "autograde.exception_names")
        assert all(name.startswith(known) or name == "autograde" for name in modules)
        assert len(fds) <= 6
        with pytest.raises(StudentError, match="ModuleNotFoundError"):
            student.g()


def test_running_submission_reports_the_same_cause_of_death_every_time(run: Run) -> None:
    problems = {run("import os\nos._exit(3)").problem for _ in range(8)}
    assert problems == {"the notebook ended its own process (exit status 3)"}


def test_running_submission_names_the_cell_that_ended_the_process(run: Run) -> None:
    with run("x = 1", "import os\nos._exit(3)", "y = 2") as running:
        assert running.fatal_cell == "cell-1"
        assert [cell.cell for cell in running.cells] == ["cell-0"]


def test_notebook_prints_a_lone_surrogate_as_a_question_mark(run: Run) -> None:
    """Who decodes bytes in pieces may print one by accident."""
    running = run("print('\\ud800!')", "raise ValueError('\\udcff')")
    assert running.cells[0].outputs[0]["text"] == "?!\n"
    assert running.cells[1].error == "ValueError in line 1: ?"


def test_warden_ignores_a_process_name_that_is_not_text(run: Run) -> None:
    rename = "import ctypes\nctypes.CDLL(None).prctl(15, b'\\xff) Z', 0, 0, 0)\ndef f():\n    return 1"
    with run(rename, checks=2) as running:
        for number in range(2):
            with running.check(number) as channel:
                assert Student(channel).f() == 1


def test_warden_lost_is_no_fault_of_the_submission(zygote: Zygote) -> None:
    def children() -> set[str]:
        return set(Path(f"/proc/{zygote.process.pid}/task/{zygote.process.pid}/children").read_text().split())

    before = children()
    with RunningSubmission(zygote.control, [("cell", "x = 1")], limits=LIMITS, checks=1) as running:
        for guard in children() - before:
            os.kill(int(guard), signal.SIGKILL)
        with pytest.raises(WardenLostError), running.check(0):
            pass


def test_zygote_that_was_not_needed_ends_silently(capfd: pytest.CaptureFixture[str]) -> None:
    with Zygote() as process:
        assert select.select([process.control], [], [], 60)[0], "it is ready, and no process has read so"
    assert (process.process.returncode, capfd.readouterr().err) == (0, "")


@pytest.mark.parametrize("number", [signal.SIGUSR1, 40, signal.SIGRTMAX])
def test_running_submission_names_any_signal_that_ends_the_notebook(run: Run, number: int) -> None:
    """Most real-time signals have no name, which is no reason for the grader to fall over."""
    assert "killed by" in run(f"import signal\nsignal.raise_signal({int(number)})").problem


def test_warden_lost_leaves_nothing_behind(zygote: Zygote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def lost(self: RunningSubmission) -> None:
        raise WardenLostError

    monkeypatch.setattr(RunningSubmission, "_sweep", lost)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(WardenLostError):
        RunningSubmission(zygote.control, [("a", "x = 1")], limits=LIMITS, checks=5)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not list(tmp_path.iterdir())


def test_callback_of_an_undefined_name_is_missing_afterwards(student_of: Callable[..., Student]) -> None:
    """A name that was only supplied by the check is missing again in the next one."""
    student = student_of("def f(): return g()")
    student.supply(g=lambda: torch.ones(1))
    assert student.f().item() == 1
    student._rpc.begin()
    with pytest.raises(StudentError, match="defines no `g`"):
        student.g()

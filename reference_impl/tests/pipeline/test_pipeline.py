"""The pipeline through its command: complete, killed and resumed, with other seeds, and in a folder in use."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from reference_impl import __main__ as command
from reference_impl.__main__ import main
from reference_impl.pipeline import pipeline as pipeline_module
from reference_impl.pipeline.claims import Claim
from reference_impl.pipeline.milestones import Milestone
from reference_impl.pipeline.pipeline import FolderInUseError, run_pipeline
from reference_impl.pipeline.run import Run
from reference_impl.pipeline.spread import Spread
from reference_impl.pipeline.stages import STAGES


def start_pipeline(folder: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-m", "reference_impl", "pipeline", "--preset", "smoke"]
    return subprocess.Popen(
        [*command, "--device", "cpu", "--folder", str(folder), *more],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_rows(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder / "milestones.json").read_text())
    return rows


@pytest.mark.long
def test_pipeline_killed_and_resumed_gives_the_same_results(tmp_path: Path) -> None:
    """Resumed in the middle of a stage and at its start. The stages before it run once for both, to save time."""
    killed = start_pipeline(tmp_path / "middle")
    deadline = time.monotonic() + 500
    while not (tmp_path / "middle" / "sft" / "run" / "checkpoint.pt").exists():
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "middle" / "sft" / "milestones.json").exists()
    again = CliRunner().invoke(main, ["pipeline", "--preset", "smoke", "--folder", str(tmp_path / "middle")])
    assert "add --resume" in again.output
    assert again.exit_code == 1
    shutil.copytree(tmp_path / "middle", tmp_path / "start", ignore=shutil.ignore_patterns("sft"))
    resumed = [start_pipeline(tmp_path / name, "--resume") for name in ("middle", "start")]
    outputs = [process.communicate(timeout=500)[0] for process in resumed]
    for output, process in zip(outputs, resumed, strict=True):
        # The preset is far too small to meet its claims, and reports that.
        assert process.returncode == 1, output
        assert output.count("NOT MET") > 3
        assert f"{len(STAGES)}/{len(STAGES)} serving" in output
        assert "pretraining: already complete" in output
        assert "sft: already complete" not in output
    assert read_rows(tmp_path / "middle") == read_rows(tmp_path / "start")
    answers = [(tmp_path / name / "serving" / "answers.json").read_text() for name in ("middle", "start")]
    assert answers[0] == answers[1]


def replace_stages(monkeypatch: pytest.MonkeyPatch, fails: set[str]) -> list[str]:
    """Replaces the stages by two that draw a random number, or raise an error if they are in `fails`."""
    ran: list[str] = []

    def stage(name: str) -> object:
        def run(_: Run) -> list[Milestone]:
            ran.append(name)
            if name in fails:
                raise RuntimeError(name)
            return [Milestone(Claim(name, "claim", "measure", "at least", 0.0), None, torch.rand(()).item())]

        return run

    monkeypatch.setattr(pipeline_module, "STAGES", {name: stage(name) for name in ("first", "second")})
    return ran


def test_pipeline_skips_completed_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = {"second"}
    ran = replace_stages(monkeypatch, fails)
    run = Run(tmp_path / "run", "smoke", torch.device("cpu"))
    with pytest.raises(RuntimeError, match="second"):
        run_pipeline(run)
    fails.clear()
    resumed = run_pipeline(Run(run.folder, "smoke", run.device, resume=True))
    assert ran == ["first", "second", "second"]
    assert resumed == run_pipeline(Run(tmp_path / "whole", "smoke", run.device))


def test_pipeline_rejects_a_folder_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = replace_stages(monkeypatch, set())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    run = Run(tmp_path / "run", "smoke", torch.device("cpu"), resume=True)
    with pytest.raises(FolderInUseError, match="not empty"):
        run_pipeline(run)
    (tmp_path / "run" / "thesis.txt").unlink()
    run_pipeline(run)
    with pytest.raises(FolderInUseError, match="add --resume"):
        run_pipeline(Run(run.folder, "smoke", run.device))
    with pytest.raises(FolderInUseError, match="of the preset smoke, not tiny"):
        run_pipeline(Run(run.folder, "tiny", run.device, resume=True))
    with pytest.raises(FolderInUseError, match="with seed 0, not 3: add --seed 0"):
        run_pipeline(Run(run.folder, "smoke", run.device, resume=True, seed=3))
    assert ran == ["first", "second"]


def test_pipeline_results_depend_on_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_stages(monkeypatch, set())
    seeds = (0, 1, 1)
    runs = [Run(tmp_path / str(n), "smoke", torch.device("cpu"), seed=seed) for n, seed in enumerate(seeds)]
    first, other, again = (run_pipeline(run) for run in runs)
    assert {one.after for one in first}.isdisjoint(one.after for one in other)
    assert other == again


def test_spread_command_runs_each_seed_and_records_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed measurement continues at its second seed; the exit status reports whether all bounds are safe."""
    fails = {"second"}
    ran = replace_stages(monkeypatch, fails)
    recorded: list[list[str]] = []
    monkeypatch.setattr(
        command, "record_figures", lambda preset, folders: recorded.append([path.name for path in folders])
    )
    spread = Spread(Claim("first", "claim", "measure", "at least", 0.0), [None, None], [0.55, 0.56])
    monkeypatch.setattr(command, "load_spreads", lambda preset: {("first", "claim"): spread})
    arguments = ["spread", "--preset", "smoke", "--seeds", "2", "--device", "cpu", "--folder", str(tmp_path)]
    assert isinstance(CliRunner().invoke(main, arguments).exception, RuntimeError)
    fails.clear()
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, ran) == (0, ["first", "second", "second", "first", "second"])
    assert recorded == [["seed-0"], ["seed-0", "seed-1"]]
    assert "0.555 ± 0.0071" in result.output
    assert json.loads((tmp_path / "seed-1" / "run.json").read_text())["seed"] == 1
    monkeypatch.setattr(
        command, "load_spreads", lambda preset: {("first", "claim"): Spread(spread.claim, [None] * 2, [0, 1])}
    )
    assert CliRunner().invoke(main, arguments).exit_code == 1


def test_commands_print_help_and_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = CliRunner()
    assert "Exit status 1: a claim was not met" in runner.invoke(main, ["pipeline", "--help"]).output
    assert "has no model.pt" in runner.invoke(main, ["serve", str(tmp_path)]).output
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA device" in runner.invoke(main, ["pipeline", "--device", "cuda"]).output
    replace_stages(monkeypatch, set())
    result = runner.invoke(main, ["pipeline", "--preset", "smoke", "--folder", str(tmp_path / "run")])
    assert result.exit_code == 0
    assert "2 of 2 met" in result.output

"""The pipeline from raw text to a served model: runs all stages in order and reports the milestones.

    python -m reference_impl pipeline --device auto --preset tiny

Each stage has a folder for its results. A stage writes its milestones last, so a stage that has them is complete. An
interrupted run continues with `--resume`, from the last checkpoint where the stage writes any, and ends with the same
results as an uninterrupted one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console

from reference_impl.pipeline.milestones import Milestone, read_milestones, write_milestones
from reference_impl.pipeline.run import Run
from reference_impl.pipeline.spread import load_spreads
from reference_impl.pipeline.stages import STAGES
from reference_impl.pipeline.tables import build_table

__all__ = ["FolderInUseError", "print_milestones", "run_pipeline"]

MILESTONES_FILE, RUN_FILE = "milestones.json", "run.json"


class FolderInUseError(Exception):
    """The folder contains another run, or files that belong to none."""


def run_pipeline(run: Run, on_progress: Callable[[str], None] = lambda line: None) -> list[Milestone]:
    """Runs each stage that is not complete; returns the milestones of all. `on_progress` receives lines to print.

    Raises FolderInUseError if the folder contains a run and `run.resume` is false, or a run of another preset or seed.
    """
    _prepare_folder(run)
    milestones = []
    for number, (name, stage) in enumerate(STAGES.items(), start=1):
        path = run.folder / name / MILESTONES_FILE
        if path.exists():
            on_progress(f"{number:2}/{len(STAGES)} {name}: already complete")
        else:
            on_progress(f"{number:2}/{len(STAGES)} {name}: {' '.join((stage.__doc__ or '').split())}")
            started = time.monotonic()
            torch.manual_seed(100 * run.seed + number)
            measured = stage(run)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_milestones(path, measured)
            on_progress(f"      {time.monotonic() - started:.0f} s")
        milestones += read_milestones(path)
    write_milestones(run.folder / MILESTONES_FILE, milestones)
    return milestones


def print_milestones(milestones: list[Milestone], preset: str, console: Console) -> None:
    """Prints the table and the number of claims that are met."""
    console.print(build_table(milestones, load_spreads(preset)))
    console.print(f"{sum(one.is_met for one in milestones)} of {len(milestones)} met")


def _prepare_folder(run: Run) -> None:
    """Creates the folder with a description of this run, or checks that it contains this run."""
    path = run.folder / RUN_FILE
    if path.exists():
        _check_same_run(run, json.loads(path.read_text()))
        return
    if run.folder.exists() and any(run.folder.iterdir()):
        raise FolderInUseError(f"{run.folder} is not empty but contains no run: choose another --folder")
    run.folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(run.describe()) + "\n")


def _check_same_run(run: Run, existing: dict[str, Any]) -> None:
    """Raises FolderInUseError if `run` must not continue `existing`, the run in its folder."""
    if not run.resume:
        raise FolderInUseError(f"{run.folder} already contains a run: add --resume, or choose another --folder")
    if existing["preset"] != run.name:
        raise FolderInUseError(f"{run.folder} contains a run of the preset {existing['preset']}, not {run.name}")
    if existing["seed"] != run.seed:
        advice = f"add --seed {existing['seed']}, or choose another --folder"
        raise FolderInUseError(f"{run.folder} contains a run with seed {existing['seed']}, not {run.seed}: {advice}")

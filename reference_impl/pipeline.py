"""From raw text to a served model: the stages one after the other, and at the end what was claimed and what came of it.

    python -m reference_impl pipeline --device auto --preset tiny

Each stage leaves its results in a folder of its own, and last of all its milestones: a stage that has them is done. An
interrupted run goes on with `--resume`, within a stage where the stage has a trainer, and comes out as if it had not
been interrupted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console

from reference_impl import milestones
from reference_impl.milestones import Milestone
from reference_impl.run import Run
from reference_impl.spread import spreads
from reference_impl.stages import STAGES
from reference_impl.tables import milestones_table

__all__ = ["FolderInUseError", "pipeline"]

DONE, MARK = "milestones.json", "run.json"


class FolderInUseError(Exception):
    """The folder holds another run."""


def pipeline(run: Run, say: Callable[[str], None] = lambda line: None) -> list[Milestone]:
    """Runs every stage that is not done, and returns the milestones of all; `say` is told how it goes.

    Raises FolderInUseError where the folder holds a run that was not to be resumed, or one of another preset or seed.
    """
    _claim(run)
    found = []
    for number, stage in enumerate(STAGES, start=1):
        name = stage.__name__
        done = run.folder / name / DONE
        if done.exists():
            say(f"{number:2}/{len(STAGES)} {name}: done before")
        else:
            say(f"{number:2}/{len(STAGES)} {name}: {' '.join((stage.__doc__ or '').split())}")
            started = time.monotonic()
            torch.manual_seed(100 * run.seed + number)
            met = stage(run)
            done.parent.mkdir(parents=True, exist_ok=True)
            milestones.write(done, met)
            say(f"      {time.monotonic() - started:.0f} s")
        found += milestones.read(done)
    milestones.write(run.folder / DONE, found)
    return found


def show(found: list[Milestone], preset: str, console: Console) -> None:
    """The table, and how many of the claims hold."""
    console.print(milestones_table(found, spreads(preset)))
    console.print(f"{sum(one.met for one in found)} of {len(found)} met")


def _claim(run: Run) -> None:
    """Makes the folder this run's, or checks that it is."""
    mark = run.folder / MARK
    if mark.exists():
        _check_same(run, json.loads(mark.read_text()))
        return
    if run.folder.exists() and any(run.folder.iterdir()):
        raise FolderInUseError(f"{run.folder} is not empty, and what is in it is no run: choose another --folder")
    run.folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps(run.describe()) + "\n")


def _check_same(run: Run, other: dict[str, Any]) -> None:
    """Raises FolderInUseError where `other`, the run that the folder holds, is not to be continued by `run`."""
    if not run.resume:
        raise FolderInUseError(f"{run.folder} holds a run already: add --resume, or choose another --folder")
    if other["preset"] != run.name:
        raise FolderInUseError(f"{run.folder} holds a run of the preset {other['preset']}, not {run.name}")
    if other["seed"] != run.seed:
        advice = f"add --seed {other['seed']}, or choose another --folder"
        raise FolderInUseError(f"{run.folder} holds a run with seed {other['seed']}, not {run.seed}: {advice}")

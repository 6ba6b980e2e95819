"""How much each claim's figures vary from seed to seed, measured: spread.json holds them for every preset that has any.

    python -m reference_impl spread --preset tiny --seeds 5

Runs that differ in their seed, or in how their processor rounds sums, end with different weights. A bound that one of
them meets may be met by luck, so it is judged by all of them:

    a bound is safe if, judging by the spread over the seeds, a new seed misses it at most once in a hundred times.

The seeds' mean and standard deviation are estimates, so it is Student's t that says how far inside the mean has to be:
4.1 standard deviations for five seeds, 8 for three.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_impl import milestones
from reference_impl.claims import CLAIMS, Claim
from reference_impl.milestones import Milestone
from reference_impl.presets import PRESETS, Preset

__all__ = ["DATA", "Spread", "collect", "fingerprint", "record", "recorded", "spreads"]

DATA = Path(__file__).parent / "spread.json"
T_99 = (31.82, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821)
"""what Student's t exceeds once in a hundred times, with 1, 2, … degrees of freedom"""


@dataclass(frozen=True)
class Spread:
    """One claim's figures, one of each for every run."""

    claim: Claim
    before: Sequence[float | None]
    after: Sequence[float]

    @property
    def room(self) -> list[float]:
        """How far inside its bound each run's figure is."""
        return [self.claim.room(*figures) for figures in zip(self.before, self.after, strict=True)]

    @property
    def safety(self) -> float:
        """The mean room over the room that is needed: safe from 1 on. NaN for one run, which says nothing."""
        runs = len(self.room)
        if runs < 2:
            return math.nan
        mean, deviation = statistics.fmean(self.room), statistics.stdev(self.room)
        needed = T_99[min(runs - 1, len(T_99)) - 1] * deviation * math.sqrt(1 + 1 / runs)
        if not needed:  # the figure is exact
            return math.inf if self.is_met else -math.inf
        return mean / needed

    @property
    def is_met(self) -> bool:
        """By every run."""
        return all(Milestone(self.claim, *figures).met for figures in zip(self.before, self.after, strict=True))

    @property
    def is_safe(self) -> bool:
        return self.is_met and self.safety >= 1


def fingerprint(preset: Preset) -> str:
    """Changes with every setting of the preset: figures of other settings say nothing about today's."""
    return hashlib.sha256(repr(preset).encode()).hexdigest()[:16]


def collect(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """The runs of the preset `name` in `folders`, and the figures of the stages that each has done."""
    runs = [json.loads((folder / "run.json").read_text()) for folder in folders]
    found = [_measured(folder) for folder in folders]
    figures = []
    for part, says in ((claim.part, claim.says) for claim in CLAIMS):
        having = [number for number, one in enumerate(found) if (part, says) in one]
        if having:
            before, after = ([_rounded(found[number][part, says][side]) for number in having] for side in (0, 1))
            seeds = [runs[number]["seed"] for number in having]
            figures.append({"part": part, "says": says, "seeds": seeds, "before": before, "after": after})
    return {"settings": fingerprint(PRESETS[name]), "runs": runs, "figures": figures}


def _measured(folder: Path) -> dict[tuple[str, str], tuple[float | None, float]]:
    """Before and after, of every claim of the stages that the run in `folder` has done."""
    done = [one for path in folder.glob("*/milestones.json") for one in milestones.read(path)]
    return {(one.claim.part, one.claim.says): (one.before, one.after) for one in done}


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.6g}")


def record(name: str, folders: Sequence[Path], path: Path = DATA) -> None:
    """Puts what `collect` finds into the data file, atomically; other presets' figures stay."""
    everything = json.loads(path.read_text()) if path.exists() else {}
    everything[name] = collect(name, folders)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(_as_text(everything))
    os.replace(unfinished, path)


def _as_text(everything: dict[str, Any]) -> str:
    """JSON with one run, and one claim, on a line."""
    presets = []
    for name, found in everything.items():
        lists = [
            f'  "{part}": [\n' + ",\n".join("   " + json.dumps(row) for row in found[part]) + "\n  ]"
            for part in ("runs", "figures")
        ]
        presets.append(f' "{name}": {{\n  "settings": "{found["settings"]}",\n' + ",\n".join(lists) + "\n }")
    return "{\n" + ",\n".join(presets) + "\n}\n"


def recorded(name: str, path: Path = DATA) -> dict[str, Any]:
    """What the data file holds for a preset; no runs and no figures where it was not measured."""
    empty: dict[str, Any] = {"settings": None, "runs": [], "figures": []}
    return json.loads(path.read_text()).get(name, empty) if path.exists() else empty


def spreads(name: str, path: Path = DATA) -> dict[tuple[str, str], Spread]:
    """The recorded spread of each claim, by its part and its sentence, judged by today's bounds."""
    by_key = {(claim.part, claim.says): claim for claim in CLAIMS}
    rows = {(row["part"], row["says"]): row for row in recorded(name, path)["figures"]}
    return {key: Spread(by_key[key], row["before"], row["after"]) for key, row in rows.items() if key in by_key}

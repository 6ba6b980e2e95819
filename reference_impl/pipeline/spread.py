"""How much the figures of each claim vary from seed to seed; spread.json holds them for each preset that was measured.

    python -m reference_impl spread --preset tiny --seeds 5

Runs with another seed, or on a processor that rounds sums differently, end with different weights. One run can meet a
bound by luck, so bounds are judged by several runs:

    a bound is safe if every recorded run meets it and a new seed would miss it at most once in a hundred times.

The mean and standard deviation of a few seeds are only estimates, so the required margin follows from Student's t: with
five seeds the mean must be 4.1 standard deviations inside the bound, with three seeds 8.
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

from reference_impl.pipeline.claims import CLAIMS, Claim
from reference_impl.pipeline.milestones import Milestone, read_milestones
from reference_impl.pipeline.presets import PRESETS, Preset

__all__ = ["DATA", "Spread", "collect_figures", "fingerprint", "load_spreads", "read_figures", "record_figures"]

DATA = Path(__file__).parent / "spread.json"
T_99 = (31.82, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821)
"""the 99th percentile of Student's t with 1, 2, … degrees of freedom"""


@dataclass(frozen=True)
class Spread:
    """The figures of one claim over several runs."""

    claim: Claim
    before: Sequence[float | None]
    after: Sequence[float]

    @property
    def margins(self) -> list[float]:
        """How far inside its bound each run's figure is."""
        return [self.claim.margin(*figures) for figures in zip(self.before, self.after, strict=True)]

    @property
    def safety(self) -> float:
        """The mean margin divided by the required margin: safe from 1 on. NaN for a single run."""
        runs = len(self.margins)
        if runs < 2:
            return math.nan
        mean, deviation = statistics.fmean(self.margins), statistics.stdev(self.margins)
        required = T_99[min(runs - 1, len(T_99)) - 1] * deviation * math.sqrt(1 + 1 / runs)
        if not required:  # the figure does not vary
            return math.inf if self.is_met else -math.inf
        return mean / required

    @property
    def is_met(self) -> bool:
        """Whether every run meets the bound."""
        return all(Milestone(self.claim, *figures).is_met for figures in zip(self.before, self.after, strict=True))

    @property
    def is_safe(self) -> bool:
        return self.is_met and self.safety >= 1


def fingerprint(preset: Preset) -> str:
    """A hash of all settings of the preset: recorded figures are valid only for the settings they come from."""
    return hashlib.sha256(repr(preset).encode()).hexdigest()[:16]


def collect_figures(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """The runs of the preset `name` in `folders`, and the figures of the stages that each has completed."""
    runs = [json.loads((folder / "run.json").read_text()) for folder in folders]
    measured = [_read_run(folder) for folder in folders]
    rows = []
    for part, statement in ((claim.part, claim.statement) for claim in CLAIMS):
        having = [index for index, figures in enumerate(measured) if (part, statement) in figures]
        if having:
            before, after = ([_round(measured[index][part, statement][side]) for index in having] for side in (0, 1))
            seeds = [runs[index]["seed"] for index in having]
            rows.append({"part": part, "statement": statement, "seeds": seeds, "before": before, "after": after})
    return {"settings": fingerprint(PRESETS[name]), "runs": runs, "figures": rows}


def _read_run(folder: Path) -> dict[tuple[str, str], tuple[float | None, float]]:
    """(before, after) for each claim of the stages that the run in `folder` has completed."""
    milestones = [one for path in folder.glob("*/milestones.json") for one in read_milestones(path)]
    return {(one.claim.part, one.claim.statement): (one.before, one.after) for one in milestones}


def _round(figure: float | None) -> float | None:
    return None if figure is None else float(f"{figure:.6g}")


def record_figures(name: str, folders: Sequence[Path], path: Path = DATA) -> None:
    """Writes the figures of the preset `name` to the data file, atomically; those of other presets stay."""
    presets = json.loads(path.read_text()) if path.exists() else {}
    presets[name] = collect_figures(name, folders)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(_format_json(presets))
    os.replace(unfinished, path)


def _format_json(presets: dict[str, Any]) -> str:
    """JSON with one line per run and per claim."""
    texts = []
    for name, recorded in presets.items():
        lists = [
            f'  "{key}": [\n' + ",\n".join("   " + json.dumps(row) for row in recorded[key]) + "\n  ]"
            for key in ("runs", "figures")
        ]
        texts.append(f' "{name}": {{\n  "settings": "{recorded["settings"]}",\n' + ",\n".join(lists) + "\n }")
    return "{\n" + ",\n".join(texts) + "\n}\n"


def read_figures(name: str, path: Path = DATA) -> dict[str, Any]:
    """The record of a preset in the data file; without runs and figures if it was not measured."""
    empty: dict[str, Any] = {"settings": None, "runs": [], "figures": []}
    return json.loads(path.read_text()).get(name, empty) if path.exists() else empty


def load_spreads(name: str, path: Path = DATA) -> dict[tuple[str, str], Spread]:
    """The recorded spread of each claim by its part and statement, with the bounds of `CLAIMS`."""
    by_key = {(claim.part, claim.statement): claim for claim in CLAIMS}
    rows = {(row["part"], row["statement"]): row for row in read_figures(name, path)["figures"]}
    return {key: Spread(by_key[key], row["before"], row["after"]) for key, row in rows.items() if key in by_key}

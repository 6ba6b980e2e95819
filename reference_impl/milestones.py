"""What the system claims of itself, measured: before, after, and whether that is enough.

A milestone is met by its figures and by nothing else; one that is not is printed as NOT MET.
"""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table

__all__ = ["Milestone", "read", "table", "write"]


COMPARISONS = {"at least": operator.ge, "at most": operator.le, "above": operator.gt, "below": operator.lt}


@dataclass(frozen=True)
class Milestone:
    """A claim, what was measured for it, and what it asks of the measure after: to be `asks` (than) `bound`.

    A figure that is not finite meets nothing.
    """

    part: str
    claim: str
    measure: str
    before: float | None
    after: float
    asks: Literal["at least", "at most", "above", "below"]
    bound: float

    @property
    def met(self) -> bool:
        return math.isfinite(self.after) and COMPARISONS[self.asks](self.after, self.bound)


def table(milestones: Sequence[Milestone]) -> Table:
    """The milestones for a terminal, in their order."""
    shown = Table(title="Milestones", title_justify="left")
    for title in ("part", "claim", "measure"):
        shown.add_column(title)
    for title in ("before", "after", "asked for", ""):
        shown.add_column(title, justify="right")
    for one in milestones:
        before, after = ("" if figure is None else f"{figure:.4g}" for figure in (one.before, one.after))
        verdict = "met" if one.met else "[bold red]NOT MET[/]"
        shown.add_row(one.part, one.claim, one.measure, before, after, f"{one.asks} {one.bound:.4g}", verdict)
    return shown


def write(path: Path, milestones: Sequence[Milestone]) -> None:
    """Write the milestones as JSON, atomically."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps([asdict(one) | {"met": one.met} for one in milestones], indent=1) + "\n")
    os.replace(unfinished, path)


def read(path: Path) -> list[Milestone]:
    """What `write` wrote. Whether each is met is computed anew."""
    found = json.loads(path.read_text())
    return [Milestone(**{name: value for name, value in one.items() if name != "met"}) for one in found]

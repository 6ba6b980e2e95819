"""What a run measured for each claim: before, after, and whether that is enough.

A milestone is met by its figures alone; one that is not is printed as NOT MET.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reference_impl.claims import COMPARISONS, Claim, claim_of

__all__ = ["Milestone", "measured", "read", "write"]


@dataclass(frozen=True)
class Milestone:
    """A claim and what was measured for it. A figure that is not finite meets nothing."""

    claim: Claim
    before: float | None
    after: float

    @property
    def bound(self) -> float:
        return self.claim.asked_for(self.before)

    @property
    def met(self) -> bool:
        return math.isfinite(self.after) and COMPARISONS[self.claim.asks](self.after, self.bound)


def measured(part: str, says: str, before: float | None, after: float) -> Milestone:
    """The milestone of one of `CLAIMS`."""
    return Milestone(claim_of(part, says), before, after)


def write(path: Path, milestones: Sequence[Milestone]) -> None:
    """Writes them as JSON, atomically, with what was asked for and whether it was met."""
    rows = [asdict(one) | {"bound": one.bound, "met": one.met} for one in milestones]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(unfinished, path)


def read(path: Path) -> list[Milestone]:
    """Reads what `write` wrote. The bound, and whether it is met, are computed again."""
    return [Milestone(Claim(**one["claim"]), one["before"], one["after"]) for one in json.loads(path.read_text())]

"""The figures that a run measured for each claim, before and after, and whether they meet its bound.

Only the figures decide; a milestone that does not meet its bound is printed as NOT MET.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reference_impl.pipeline.claims import RELATIONS, Claim, find_claim

__all__ = ["Milestone", "make_milestone", "read_milestones", "write_milestones"]


@dataclass(frozen=True)
class Milestone:
    """A claim and its measured figures. A figure that is not finite never meets a bound."""

    claim: Claim
    before: float | None
    after: float

    @property
    def threshold(self) -> float:
        return self.claim.threshold(self.before)

    @property
    def is_met(self) -> bool:
        return math.isfinite(self.after) and RELATIONS[self.claim.relation](self.after, self.threshold)


def make_milestone(part: str, statement: str, before: float | None, after: float) -> Milestone:
    """The milestone of the claim in `CLAIMS` with this part and statement."""
    return Milestone(find_claim(part, statement), before, after)


def write_milestones(path: Path, milestones: Sequence[Milestone]) -> None:
    """Writes them as JSON, atomically, together with their thresholds and whether they are met."""
    rows = [asdict(one) | {"threshold": one.threshold, "is_met": one.is_met} for one in milestones]
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(unfinished, path)


def read_milestones(path: Path) -> list[Milestone]:
    """Reads a file of `write_milestones`. The threshold, and whether it is met, are computed again."""
    return [Milestone(Claim(**row["claim"]), row["before"], row["after"]) for row in json.loads(path.read_text())]

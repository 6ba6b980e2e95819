"""Claims, their thresholds and margins, and the milestones that are printed as met or not."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from reference_impl.pipeline.claims import CLAIMS, Claim, Relation, find_claim
from reference_impl.pipeline.milestones import Milestone, make_milestone, read_milestones, write_milestones
from reference_impl.pipeline.spread import Spread
from reference_impl.pipeline.tables import build_table


@pytest.mark.parametrize(
    ("relation", "after", "met"),
    [
        ("at least", 1.0, True), ("at least", 0.999, False), ("at most", 1.0, True), ("at most", 1.001, False),
        ("above", 1.0, False), ("above", 1.001, True), ("below", 1.0, False), ("below", 0.999, True),
        ("at most", -math.inf, False), ("at least", math.inf, False), ("below", math.nan, False),
    ],
)  # fmt: skip
def test_milestone_is_met_by_its_relation_to_the_bound(relation: Relation, after: float, met: bool) -> None:
    assert Milestone(Claim("part", "claim", "measure", relation, 1.0), None, after).is_met == met


def test_claim_threshold_depends_on_the_figure_before() -> None:
    """A bound is a number, a rise over the figure before, or a share of it."""
    number, rise, share = (Claim("p", "c", "m", "above", *bound) for bound in [(0.5,), (0.02, 1.0), (0.0, 0.75)])
    assert [one.threshold(0.8) for one in (number, rise, share)] == pytest.approx([0.5, 0.82, 0.6])
    assert number.threshold(None) == 0.5


@pytest.mark.parametrize(
    ("relation", "inside"), [("at least", 0.1), ("above", 0.1), ("at most", -0.1), ("below", -0.1)]
)
def test_claim_margin_is_positive_inside_the_bound(relation: Relation, inside: float) -> None:
    claim = Claim("p", "c", "m", relation, 0.2, 1.0)
    assert claim.margin(0.5, 0.7 + inside) == pytest.approx(0.1)
    assert claim.margin(0.5, 0.7 - inside) == pytest.approx(-0.1)


@pytest.mark.parametrize("before", [0.01, 3.0])
def test_claim_margin_of_a_multiple_does_not_depend_on_the_scale(before: float) -> None:
    claim = Claim("int8", "costs little loss", "loss", "at most", 0.0, 1.02)
    assert claim.margin(before, 1.005 * before) == pytest.approx(0.015)


def test_find_claim_finds_each_claim_by_its_name() -> None:
    names = [(claim.part, claim.statement) for claim in CLAIMS]
    assert len(set(names)) == len(names)
    assert [find_claim(*name) for name in names] == [*CLAIMS]


def test_make_milestone_rejects_an_unknown_claim() -> None:
    with pytest.raises(KeyError, match=r"claims\.py has no claim 'is fun' of DPO"):
        make_milestone("DPO", "is fun", None, 1.0)


FALLS = Claim("A", "falls", "loss", "below", 0.0, 1.0)
RISES = Claim("B", "rises", "score", "above", 0.0, 1.0)
MILESTONES = [Milestone(FALLS, 2.0, 1.0), Milestone(RISES, 0.5, 0.25)]


def test_read_milestones_returns_what_was_written(tmp_path: Path) -> None:
    write_milestones(tmp_path / "m.json", MILESTONES)
    assert read_milestones(tmp_path / "m.json") == MILESTONES
    rows = json.loads((tmp_path / "m.json").read_text())
    assert [(row["threshold"], row["is_met"]) for row in rows] == [(2.0, True), (0.5, False)]


def test_build_table_marks_milestones_that_are_not_met() -> None:
    screen = io.StringIO()
    recorded = {("A", "falls"): Spread(FALLS, [2.0, 2.0], [1.0, 1.2])}
    Console(width=160, file=screen).print(build_table(MILESTONES, recorded))
    rows = [line for line in screen.getvalue().splitlines() if "falls" in line or "rises" in line]
    assert ["NOT MET" in row for row in rows] == [False, True]
    assert ["1.1 ± 0.14" in row for row in rows] == [True, False]

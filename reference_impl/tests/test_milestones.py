"""A claim is met by its figures, and a claim that is not is printed as not met."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from reference_impl.claims import CLAIMS, Asks, Claim, claim_of
from reference_impl.milestones import Milestone, measured, read, write
from reference_impl.spread import Spread
from reference_impl.tables import milestones_table


@pytest.mark.parametrize(
    ("asks", "after", "met"),
    [
        ("at least", 1.0, True), ("at least", 0.999, False), ("at most", 1.0, True), ("at most", 1.001, False),
        ("above", 1.0, False), ("above", 1.001, True), ("below", 1.0, False), ("below", 0.999, True),
        ("at most", -math.inf, False), ("at least", math.inf, False), ("below", math.nan, False),
    ],
)  # fmt: skip
def test_figures_decide(asks: Asks, after: float, met: bool) -> None:
    assert Milestone(Claim("part", "claim", "measure", asks, 1.0), None, after).met == met


def test_claim_bound_follows_the_figure_before() -> None:
    """A bound may be a number, a rise over the figure before, or a share of it."""
    number, rise, share = (Claim("p", "c", "m", "above", *bound) for bound in [(0.5,), (0.02, 1.0), (0.0, 0.75)])
    assert [one.asked_for(0.8) for one in (number, rise, share)] == pytest.approx([0.5, 0.82, 0.6])
    assert number.asked_for(None) == 0.5


@pytest.mark.parametrize(("asks", "inside"), [("at least", 0.1), ("above", 0.1), ("at most", -0.1), ("below", -0.1)])
def test_claim_room_is_positive_inside_the_bound(asks: Asks, inside: float) -> None:
    claim = Claim("p", "c", "m", asks, 0.2, 1.0)
    assert claim.room(0.5, 0.7 + inside) == pytest.approx(0.1)
    assert claim.room(0.5, 0.7 - inside) == pytest.approx(-0.1)


def test_claims_have_distinct_names() -> None:
    names = [(claim.part, claim.says) for claim in CLAIMS]
    assert len(set(names)) == len(names)
    assert [claim_of(*name) for name in names] == [*CLAIMS]


def test_measured_refuses_an_unknown_claim() -> None:
    with pytest.raises(KeyError, match=r"claims\.py has no claim of DPO that says 'is fun'"):
        measured("DPO", "is fun", None, 1.0)


def test_the_table_says_what_is_not_met(tmp_path: Path) -> None:
    falls, rises = Claim("A", "falls", "loss", "below", 0.0, 1.0), Claim("B", "rises", "score", "above", 0.0, 1.0)
    found = [Milestone(falls, 2.0, 1.0), Milestone(rises, 0.5, 0.25)]
    write(tmp_path / "m.json", found)
    assert read(tmp_path / "m.json") == found
    assert [(row["bound"], row["met"]) for row in json.loads((tmp_path / "m.json").read_text())] == [
        (2.0, True), (0.5, False),
    ]  # fmt: skip
    screen = io.StringIO()
    seen = {("A", "falls"): Spread(falls, [2.0, 2.0], [1.0, 1.2])}
    Console(width=160, file=screen).print(milestones_table(found, seen))
    rows = [line for line in screen.getvalue().splitlines() if "falls" in line or "rises" in line]
    assert ["NOT MET" in row for row in rows] == [False, True]
    assert ["1.1 ± 0.14" in row for row in rows] == [True, False]

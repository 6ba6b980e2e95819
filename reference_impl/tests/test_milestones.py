"""A claim is met by its figures, and a claim that is not is printed as not met."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from reference_impl.milestones import Milestone, read, table, write


@pytest.mark.parametrize(
    ("asks", "after", "met"),
    [
        ("at least", 1.0, True), ("at least", 0.999, False), ("at most", 1.0, True), ("at most", 1.001, False),
        ("above", 1.0, False), ("above", 1.001, True), ("below", 1.0, False), ("below", 0.999, True),
        ("at most", -math.inf, False), ("at least", math.inf, False), ("below", math.nan, False),
    ],
)  # fmt: skip
def test_figures_decide(asks: str, after: float, met: bool) -> None:
    assert Milestone("part", "claim", "measure", None, after, asks, 1.0).met == met


def test_the_table_says_what_is_not_met(tmp_path: Path) -> None:
    found = [
        Milestone("A", "falls", "loss", 2.0, 1.0, "below", 2.0),
        Milestone("B", "rises", "score", 0.5, 0.25, "above", 0.5),
    ]
    write(tmp_path / "m.json", found)
    assert read(tmp_path / "m.json") == found
    screen = io.StringIO()
    Console(width=120, file=screen).print(table(found))
    rows = [line for line in screen.getvalue().splitlines() if "falls" in line or "rises" in line]
    assert ["NOT MET" in row for row in rows] == [False, True]

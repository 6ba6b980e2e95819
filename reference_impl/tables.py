"""The claims as tables: of one run for a terminal, and of all recorded runs for the docs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from reference_impl.claims import Claim
from reference_impl.milestones import Milestone
from reference_impl.spread import Spread

__all__ = ["as_markdown", "milestones_table"]


def milestones_table(found: Sequence[Milestone], seen: Mapping[tuple[str, str], Spread]) -> Table:
    """A run's milestones in their order, each beside its recorded spread, where there is one."""
    shown = Table(title="Milestones", title_justify="left")
    for title in ("part", "claim", "measure"):
        shown.add_column(title)
    for title in ("before", "after", "asked for", "", "over seeds", "safety"):
        shown.add_column(title, justify="right")
    for one in found:
        verdict = "met" if one.met else "[bold red]NOT MET[/]"
        over_seeds, safety = _over_seeds(seen.get((one.claim.part, one.claim.says)))
        shown.add_row(
            one.claim.part, one.claim.says, one.claim.measure, _figure(one.before), _figure(one.after),
            f"{one.claim.asks} {one.bound:.4g}", verdict, over_seeds, safety,
        )  # fmt: skip
    return shown


def as_markdown(recorded: Iterable[Spread]) -> str:
    """The recorded figures: mean ± standard deviation over the runs, and how safe each bound is."""
    lines = [
        "| part | claim | measure | before | after | asked for | safety | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in recorded:
        before = (
            "" if None in one.before else _mean_and_deviation([figure for figure in one.before if figure is not None])
        )
        cells = [
            one.claim.part, one.claim.says, one.claim.measure, before, _mean_and_deviation(one.after),
            _in_words(one.claim), _safety(one), str(len(one.after)),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _in_words(claim: Claim) -> str:
    """The bound without a run: "above before + 0.02", "at most 0.6 · before"."""
    if not claim.of_before:
        return f"{claim.asks} {claim.bound:g}"
    before = "before" if claim.of_before == 1 else f"{claim.of_before:g} · before"
    sign = "−" if claim.bound < 0 else "+"
    return f"{claim.asks} {before}" + (f" {sign} {abs(claim.bound):g}" if claim.bound else "")


def _over_seeds(one: Spread | None) -> tuple[str, str]:
    return ("", "") if one is None else (_mean_and_deviation(one.after), _safety(one))


def _mean_and_deviation(figures: Sequence[float]) -> str:
    if len(figures) < 2:
        return "".join(map(_figure, figures))
    return f"{_figure(statistics.fmean(figures))} ± {statistics.stdev(figures):.2g}"


def _safety(one: Spread) -> str:
    """Above ten the exact number says no more."""
    if math.isnan(one.safety):
        return "unknown"
    shown = "> 10" if one.safety > 10 else f"{one.safety:.1f}"
    return shown if one.is_safe else f"{shown}, not safe"


def _figure(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"

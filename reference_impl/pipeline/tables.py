"""Tables of the claims: for one run in a terminal, and for all recorded runs in the docs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from reference_impl.pipeline.claims import Claim
from reference_impl.pipeline.milestones import Milestone
from reference_impl.pipeline.spread import Spread

__all__ = ["build_table", "format_markdown"]


def build_table(milestones: Sequence[Milestone], recorded: Mapping[tuple[str, str], Spread]) -> Table:
    """The milestones of a run in their order, each with its recorded spread if there is one."""
    table = Table(title="Milestones", title_justify="left")
    for title in ("part", "claim", "measure"):
        table.add_column(title)
    for title in ("before", "after", "required", "", "over seeds", "safety"):
        table.add_column(title, justify="right")
    for one in milestones:
        claim = one.claim
        verdict = "met" if one.is_met else "[bold red]NOT MET[/]"
        over_seeds, safety = _format_spread(recorded.get((claim.part, claim.statement)))
        table.add_row(
            claim.part, claim.statement, claim.measure, _format_figure(one.before), _format_figure(one.after),
            f"{claim.relation} {one.threshold:.4g}", verdict, over_seeds, safety,
        )  # fmt: skip
    return table


def format_markdown(spreads: Iterable[Spread]) -> str:
    """A table of recorded figures: mean ± standard deviation over the runs, and how safe each bound is."""
    lines = [
        "| part | claim | measure | before | after | required | safety | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in spreads:
        claim = one.claim
        before = [figure for figure in one.before if figure is not None]
        cells = [
            claim.part, claim.statement, claim.measure, _format_mean(before), _format_mean(one.after),
            _format_bound(claim), _format_safety(one), str(len(one.after)),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _format_bound(claim: Claim) -> str:
    """The bound for any run: "above before + 0.02", "at most 0.6 · before"."""
    if not claim.before_factor:
        return f"{claim.relation} {claim.bound:g}"
    before = "before" if claim.before_factor == 1 else f"{claim.before_factor:g} · before"
    sign = "−" if claim.bound < 0 else "+"
    return f"{claim.relation} {before}" + (f" {sign} {abs(claim.bound):g}" if claim.bound else "")


def _format_spread(one: Spread | None) -> tuple[str, str]:
    return ("", "") if one is None else (_format_mean(one.after), _format_safety(one))


def _format_mean(figures: Sequence[float]) -> str:
    if len(figures) < 2:
        return "".join(map(_format_figure, figures))
    return f"{_format_figure(statistics.fmean(figures))} ± {statistics.stdev(figures):.2g}"


def _format_safety(one: Spread) -> str:
    """Rounded, because above ten the exact number is of no use."""
    if math.isnan(one.safety):
        return "unknown"
    safety = "> 10" if one.safety > 10 else f"{one.safety:.1f}"
    return safety if one.is_safe else f"{safety}, not safe"


def _format_figure(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"

"""Draws a wrong answer: heat maps of a matrix, lines of a sequence, and the same in words for who cannot see them.

Colours are told apart by colour-blind readers, and no colour is needed: every wrong value carries a mark.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from autograde.report import Comparison, Number

FEWEST = 3
"""numbers that are worth a picture"""
MOST_MARKS = 100
LARGEST = 1e300
"""replaces anything beyond: the difference of two such numbers, as of an axis' ends, is still a number"""
BLUE, VERMILION = "#0072B2", "#D55E00"
"""Okabe and Ito's"""
Array = NDArray[Any]


class Panel(msgspec.Struct, frozen=True):
    """An SVG as a data address, and its text alternative."""

    address: str
    alternative: str


class Picture(msgspec.Struct, frozen=True):
    """Panels, one beside another or, on a phone, one below another; and a sentence about where the answer is wrong."""

    panels: tuple[Panel, ...]
    caption: str


def draw_picture(comparison: Comparison | None) -> Picture | None:
    """None if there is nothing to see."""
    if comparison is None or len(comparison.got) < FEWEST:
        return None
    return _draw_encoded(msgspec.json.encode(comparison))


@lru_cache(maxsize=512)  # a class makes the same mistakes
def _draw_encoded(encoded: bytes) -> Picture:
    comparison = msgspec.json.decode(encoded, type=Comparison)
    is_matrix = len(comparison.shape) == 2 and min(comparison.shape) > 1
    shape = tuple(comparison.shape) if is_matrix else (len(comparison.got),)
    got = _to_array(comparison.got, shape)
    expected = _to_array(comparison.expected, shape) if comparison.expected else None
    wrong = np.zeros(len(comparison.got), dtype=bool)
    wrong[[index for index in comparison.wrong if 0 <= index < wrong.size]] = True
    wrong = wrong.reshape(shape)
    caption = f"{_describe_part(comparison)}: wrong in {describe_pattern(wrong)}."
    return Picture(
        panels=tuple((_draw_matrix if is_matrix else _draw_sequence)(_describe_part(comparison), got, expected, wrong)),
        caption=caption[:1].upper() + caption[1:],
    )


def _to_array(numbers: list[Number], shape: tuple[int, ...]) -> Array:
    values = np.array([float(number) for number in numbers]).reshape(shape)
    return np.where(np.isfinite(values), values.clip(-LARGEST, LARGEST), values)


def describe_pattern(wrong: Array) -> str:
    """Which values are wrong, by the simplest true description."""
    if wrong.all():
        return "every value"
    if wrong.ndim == 1:
        return _list_places("place", np.flatnonzero(wrong))
    row, column = np.indices(wrong.shape)
    regions = {
        "every value above the diagonal": column > row,
        "every value on and above the diagonal": column >= row,
        "every value below the diagonal": column < row,
        "every value on and below the diagonal": column <= row,
        "the diagonal": column == row,
    }
    for words, region in regions.items():
        if np.array_equal(wrong, region):
            return words
    if (wrong == wrong.any(axis=1, keepdims=True)).all():
        return _list_places("row", np.flatnonzero(wrong.any(axis=1)))
    if (wrong == wrong.any(axis=0, keepdims=True)).all():
        return _list_places("column", np.flatnonzero(wrong.any(axis=0)))
    return f"{int(wrong.sum())} of {wrong.size} values"


def _list_places(what: str, places: Array) -> str:
    shown = ", ".join(map(str, places[:6])) + (", …" if places.size > 6 else "")
    return f"{what} {shown}" if places.size == 1 else f"{places.size} {what}s ({shown})"


def _describe_part(comparison: Comparison) -> str:
    """What is drawn, of what: `the result`, or a part of it."""
    if comparison.shape == comparison.of:
        return f"{comparison.what}, shape {tuple(comparison.of)}"
    lead = len(comparison.of) - len(comparison.shape)
    ends = [f"{a}:{a + n}" for a, n in zip(comparison.start[lead:], comparison.shape, strict=True)]
    place = ", ".join([*map(str, comparison.start[:lead]), *ends])
    return f"part [{place}] of {comparison.what}, shape {tuple(comparison.of)}"


def _describe(whose: str, values: Array) -> str:
    finite = values[np.isfinite(values)]
    if values.size <= 16:
        return f"{whose}: {np.array2string(values, precision=3, separator=', ').replace(chr(10), '')}."
    span = f"from {finite.min():.3g} to {finite.max():.3g}" if finite.size else "no finite value"
    odd = f", {values.size - finite.size} not finite" if finite.size < values.size else ""
    return f"{whose}: {span}{odd}."


def _draw_matrix(where: str, got: Array, expected: Array | None, wrong: Array) -> Iterator[Panel]:
    """Yours with its wrong values marked; if revealed, then what was expected, and the difference."""
    shared = _find_limit(got if expected is None else np.concatenate([got, expected]))
    told = f"Heat map: {where}. {_describe('Yours', got)} Wrong: {describe_pattern(wrong)}."
    yield _make_panel(_draw_heat_map("yours (× wrong)", got, shared, wrong), told)
    if expected is not None:
        with np.errstate(invalid="ignore"):
            difference = got - expected
        yield _make_panel(_draw_heat_map("expected", expected, shared), f"Heat map. {_describe('Expected', expected)}")
        apart = _draw_heat_map("yours − expected", difference, _find_limit(difference))
        yield _make_panel(apart, f"Heat map. {_describe('Yours minus expected', difference)}")


def _draw_heat_map(title: str, values: Array, most: float, wrong: Array | None = None) -> Any:
    figure = _make_figure(2.6, 2.7)
    axes = figure.add_axes((0.09, 0.07, 0.88, 0.77))
    axes.imshow(values, cmap="PuOr", vmin=-most, vmax=most, interpolation="none")
    axes.set_facecolor("#999999")  # what is not finite
    axes.set_title(f"{title}\npurple {most:.2g}, white 0, orange {-most:.2g}", fontsize=9)
    axes.set_xticks(_choose_ticks(values.shape[1]))
    axes.set_yticks(_choose_ticks(values.shape[0]))
    axes.tick_params(labelsize=8, length=2)
    if wrong is not None and wrong.sum() <= MOST_MARKS:
        rows, columns = np.nonzero(wrong)
        for colour, width in (("#ffffff", 2.6), ("#000000", 1.2)):  # seen on a dark field and on a light one
            axes.scatter(columns, rows, marker="x", s=22, c=colour, linewidths=width)
    return figure


def _draw_sequence(where: str, got: Array, expected: Array | None, wrong: Array) -> Iterator[Panel]:
    """One panel, as wide as a phone: lines over the places."""
    figure = _make_figure(4.4, 2.6)
    axes = figure.add_axes((0.13, 0.11, 0.84, 0.75))
    marker = "." if got.size <= 60 else ""
    if expected is not None:
        axes.plot(expected, color=BLUE, linestyle="--", marker=marker, label="expected")
    axes.plot(got, color=VERMILION, marker=marker, label="yours")
    places = np.flatnonzero(wrong)
    if places.size <= MOST_MARKS:
        axes.scatter(places, got[places], marker="x", s=30, c="#000000", zorder=3, label="wrong")
    if got.size <= 12:
        axes.set_xticks(range(got.size))
    axes.tick_params(labelsize=9)
    axes.grid(alpha=0.3)
    figure.legend(loc="upper center", ncols=3, fontsize=10, frameon=False)
    told = [
        f"Lines: {where}.",
        _describe("Yours", got),
        *([_describe("Expected", expected)] if expected is not None else []),
    ]
    yield _make_panel(figure, " ".join([*told, f"Wrong: {describe_pattern(wrong)}."]))


def _make_panel(figure: Any, alternative: str) -> Panel:
    return Panel("data:image/svg+xml;base64," + base64.b64encode(_encode_svg(figure)).decode(), alternative)


def _find_limit(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0


def _choose_ticks(length: int) -> range:
    return range(0, length, max(1, math.ceil(length / 6)))


def _make_figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white")


def _encode_svg(figure: Any) -> bytes:
    """The same picture gives the same bytes; text stays text."""
    import matplotlib as mpl

    written = io.BytesIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": "picture", "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(written, format="svg", metadata=nothing)
    return re.sub(rb"<!--.*?-->|\n\s*", lambda found: b"" if found[0][:1] == b"<" else b"\n", written.getvalue())

"""Regions of a source between BEGIN and END markers: solutions and mark schemes, which the release leaves out."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from autograde.course import CourseError

CELL_HEADER = re.compile(r"# %%(\s|$)")
REGIONS = ("SOLUTION", "MARK SCHEME", "HIDDEN TESTS")
MARKER = re.compile(r"\b(BEGIN|END) (SOLUTION|MARK SCHEME|HIDDEN TESTS)\b")
MARKERS = [f"{word} {region}" for word in ("BEGIN", "END") for region in REGIONS]


def list_region_lines(text: str, kinds: tuple[str, ...] = REGIONS) -> list[str]:
    """Return the lines inside BEGIN/END regions of these kinds."""
    inside, lines = "", []
    for line in text.split("\n"):
        marker = MARKER.search(line)
        if marker:
            inside = marker[2] if marker[1] == "BEGIN" else ""
        elif inside in kinds:
            lines.append(line)
    return lines


def remove_regions(text: str, kinds: tuple[str, ...]) -> str:
    """Return the text without the regions of these kinds and without marker lines."""
    inside, lines = "", []
    for line in text.split("\n"):
        marker = MARKER.search(line)
        if marker:
            inside = marker[2] if marker[1] == "BEGIN" else ""
        elif inside not in kinds:
            lines.append(line)
    return "\n".join(lines)


def check_regions(path: Path, text: str) -> None:
    """Check that every region ends in the cell where it begins and that regions are not nested."""
    begun: tuple[str, int] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        if CELL_HEADER.match(line) and begun:
            break
        marker = MARKER.search(line)
        if marker and marker[2] == "HIDDEN TESTS":
            raise CourseError(
                f"{path}:{number}: a HIDDEN TESTS region is removed and never run, so nothing in it would be checked; "
                "write a check in hidden_tests/ instead, and delete this region"
            )
        if meant := _find_near_miss(line):
            raise CourseError(f"{path}:{number}: {line.strip()!r} marks no region; write ### {meant}, or other words")
        if marker and marker[1] == "BEGIN":
            if begun:
                raise CourseError(
                    f"{path}:{number}: BEGIN {marker[2]} inside the {begun[0]} begun on line {begun[1]}; "
                    "end that region first"
                )
            begun = marker[2], number
        elif marker:
            if begun is None or begun[0] != marker[2]:
                raise CourseError(
                    f"{path}:{number}: END {marker[2]} without BEGIN {marker[2]}; add BEGIN or delete END"
                )
            begun = None
    if begun:
        raise CourseError(f"{path}:{begun[1]}: BEGIN {begun[0]} without END {begun[0]} in the same cell; add END")


def _find_near_miss(line: str) -> str:
    """The marker that a line is nearly, in other letters, spaces or spelling; empty if it is one or none."""
    words = re.sub(r"[\W_]+", " ", line).strip()
    if MARKER.search(line) or len(words.split()) > 4:
        return ""
    return next(iter(get_close_matches(words.upper(), MARKERS, n=1, cutoff=0.85)), "")

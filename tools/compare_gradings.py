"""Shows whether a refactoring changed a grade: records what the engine writes, and compares two records.

    python -m tools.compare_gradings snapshot before        # with the engine as it was
    python -m tools.compare_gradings snapshot after         # the same course, with the changed engine
    python -m tools.compare_gradings compare before after

`snapshot` grades a class in a temporary copy of the course: the solution, the untouched notebook, every right program,
some of the wrong programs, and damaged, crashing and endless notebooks; tools/grading_snapshot.py lists what it writes.
`compare` prints the differences, and exits with status 1 if there are any. It upgrades reports of an older version as
the engine does. The tables below list other renamed fields, and fields that may differ; a refactoring adds its own
there or in the file given with --mapping.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autograde.old_reports import upgrade
from autograde.report import SCHEMA
from tools.grading_snapshot import snapshot

RENAMED: dict[str, str] = {}
"""Path in an old report -> path in a new one. A path covers everything below it; `[]` is an index.

For example "exercises[].verdicts[].replay": "exercises[].checks[].reproduction".
"""
LEFT_OUT = {
    "schema": "the version of the report's layout",
    "digest": "covers the engine's source, which a refactoring changes",
    "run.seconds": "depends on the load of the machine",
    "run.folder": "a temporary folder, whose name is also replaced in messages that contain it",
}
"""Path in a report, or in run.json after `run.` -> the reason why it may differ."""
COLUMNS = {
    "run.submissions": "programs",
    "run.statuses": "exit statuses",
    "run.not_graded": "refusals",
    "exercises[].verdicts[].check": "checks",
    "exercises[].verdicts[].points": "points",
    "exercises[].verdicts[].outcome": "outcomes",
    "exercises[].verdicts[].reason": "reasons",
    "exercises[].verdicts[].hint": "hints",
    "exercises[].verdicts[].replay": "reproductions",
}
"""Path (the old one if it was renamed) -> column of the table. All other paths of a report count in OTHER."""
OTHER, TABLES, PAGES = "other fields", "scores and exports", "pages"

INDEX = re.compile(r"\[\d+\]")
NUMBER = re.compile(r"(?<![^,])[\d.-]+(?![^,])")
SHOWN_CHARACTERS = 120

Findings = dict[str, dict[str, Any]]
"""column -> path -> value"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    take = verbs.add_parser("snapshot", help="grade the class and keep what was written")
    take.add_argument("folder", type=Path, help="one folder for each assignment is written here")
    take.add_argument("--course", type=Path, default=Path.cwd(), help="its folder  [default: this one]")
    take.add_argument("--slug", action="append", dest="slugs", help="only this assignment; may be repeated")
    take.add_argument("--wrong", type=int, default=10, help="at most so many wrong programs, spread over all")
    take.add_argument("--jobs", type=int, default=2, help="processes of `course grade`")
    both = verbs.add_parser("compare", help="name what differs between two snapshots")
    both.add_argument("old", type=Path)
    both.add_argument("new", type=Path)
    both.add_argument("--slug", action="append", dest="slugs", help="only this assignment; may be repeated")
    both.add_argument("--mapping", type=Path, help='JSON: {"renamed": {...}, "left_out": {...}}, added to the tables')
    both.add_argument("--show", type=int, default=5, help="differences to print for each column")
    options = parser.parse_args()
    if options.verb == "snapshot":
        for slug in options.slugs or sorted(path.stem for path in options.course.glob("source/*.py")):
            snapshot(options.course, slug, options.folder.resolve() / slug, options.wrong, options.jobs)
        return 0
    added = json.loads(options.mapping.read_text()) if options.mapping else {}
    slugs = options.slugs or slugs_in(options.old, options.new)
    if not slugs:
        parser.error(f"{options.old} and {options.new} contain no snapshot")
    names = Names(RENAMED | added.get("renamed", {}), LEFT_OUT | added.get("left_out", {}))
    return compare(options.old, options.new, slugs, names, options.show)


def slugs_in(*folders: Path) -> list[str]:
    return sorted({path.parent.name for folder in folders for path in folder.glob("*/run.json")})


class Names:
    """Maps fields of an old report to their new names and to columns of the table."""

    def __init__(self, renamed: Mapping[str, str], left_out: Mapping[str, str]) -> None:
        self.renamed, self.left_out = renamed, left_out
        self.columns = COLUMNS | {self.new_place(path): column for path, column in COLUMNS.items()}

    def new_place(self, place: str) -> str:
        """The path under its new name, with the same indexes in the same order."""
        pattern = INDEX.sub("[]", place)
        old = longest_prefix(pattern, self.renamed)
        if old is None:
            return place
        indexes = iter(INDEX.findall(place))
        return re.sub(r"\[\]", lambda _: next(indexes, "[]"), self.renamed[old] + pattern[len(old) :])

    def column(self, place: str) -> str | None:
        """The column of a path; None if the path is left out."""
        pattern = INDEX.sub("[]", place)
        if longest_prefix(pattern, self.left_out) is not None:
            return None
        column = longest_prefix(pattern, self.columns)
        return OTHER if column is None else self.columns[column]


def longest_prefix(pattern: str, paths: Mapping[str, str]) -> str | None:
    """The longest of the paths that cover the pattern."""
    covering = [path for path in paths if pattern == path or pattern.startswith((f"{path}.", f"{path}[]"))]
    return max(covering, key=len, default=None)


def compare(old: Path, new: Path, slugs: list[str], names: Names, show: int) -> int:
    """Print how much was compared and what differs; returns 1 if anything differs."""
    columns = [*dict.fromkeys(COLUMNS.values()), OTHER, TABLES, PAGES]
    table = Table(title="compared (and different)")
    for heading in ("assignment", *columns):
        table.add_column(heading, justify="right")
    differing = 0
    for slug in slugs:
        before, after = read_snapshot(old / slug, names, old=True), read_snapshot(new / slug, names, old=False)
        cells = []
        for column in columns:
            one, other = before.get(column, {}), after.get(column, {})
            places = [place for place in one | other if one.get(place) != other.get(place)]
            for place in places[:show]:
                print(f"{slug}: {column}: {place}\n{difference(one.get(place), other.get(place))}")
            cells.append(f"{len(one | other)} ({len(places)})" if places else f"{len(one | other)}")
            differing += len(places)
        table.add_row(slug, *cells)
    Console(width=200).print(table)
    for path, why in names.left_out.items():
        print(f"left out: {path}: {why}")
    print(f"differences: {differing}")
    return 1 if differing else 0


def read_snapshot(folder: Path, names: Names, *, old: bool) -> Findings:
    """Everything that the snapshot has of one assignment; empty if the folder is missing."""
    found: Findings = {}

    def note(owner: str, value: Any, top: str = "") -> None:
        for place, leaf in leaves(value, top):
            place = names.new_place(place) if old else place
            if column := names.column(place):
                found.setdefault(column, {})[f"{owner} {place}"] = leaf

    if (folder / "run.json").exists():
        text = (folder / "run.json").read_text()
        note("class", json.loads(text.replace(json.loads(text)["folder"], "COURSE")), "run")
    for path in sorted(folder.glob("reports/*.json")):
        note(path.stem, in_present_layout(path.read_bytes()))
    for path in sorted(folder.glob("*.csv")):
        # Rows are keyed by their text: the gradebook returns students without a family name in no fixed order.
        rows = path.read_text().splitlines()
        found.setdefault(TABLES, {}).update({f"{path.name} {NUMBER.sub('', row)}": row for row in rows})
    pages = [*sorted(folder.glob("feedback/*.html")), *folder.glob("released.ipynb")]
    found[PAGES] = {str(path.relative_to(folder)): path.read_bytes() for path in pages}
    return found


def in_present_layout(data: bytes) -> dict[str, Any]:
    """A report as the engine would read it, plus the fields that the engine does not know."""
    report: dict[str, Any] = json.loads(data)
    return report if report["schema"] >= SCHEMA else upgrade(data)


def leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """(path, number or text) of every leaf of a JSON value. Null and empty text count as absent."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from leaves(part, f"{place}[{index}]")
    elif value is not None and value != "":
        yield place, value


def difference(old: Any, new: Any) -> str:
    """The first line that differs, old above new, starting shortly before the first different character."""
    one, other = (as_text(value).splitlines() for value in (old, new))
    pairs = ((a, b) for a, b in zip(one, other, strict=False) if a != b)
    a, b = next(pairs, (f"{len(one)} lines", f"{len(other)} lines"))
    equal = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = max(0, equal - SHOWN_CHARACTERS // 3)
    return "\n".join(f"  {sign} {line[start : start + SHOWN_CHARACTERS]}" for sign, line in (("-", a), ("+", b)))


def as_text(value: Any) -> str:
    if value is None:
        return "(absent)"
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    sys.exit(main())

"""Prints the output of the `course` command: for people, on a screen or in a log file, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from autograde.report import ConfinementLevel, Outcome, Report, group_students_by_hint

if TYPE_CHECKING:  # importing these types takes longer than most commands
    from autograde.grading.pool import OnProgress
    from autograde.records.grade_changes import Change
    from autograde.records.grade_class import ClassResult
    from autograde.verification.result import Verification

screen = Console(highlight=False)
error_screen = Console(stderr=True, highlight=False)
SHOWN_STUDENTS = 4
MAX_NAME = 240
CLUSTER_CONFINEMENT = "each worker of the cluster confines submissions itself; its reports record the level"


def say(text: object) -> None:
    """Print one line as plain text; markup in it is not interpreted."""
    screen.print(str(text), markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print one line to standard error."""
    error_screen.print(text, markup=False, soft_wrap=True)


def escape_unprintable(text: str, limit: int = MAX_NAME) -> str:
    """Text on one line: characters that a terminal would not show, such as line breaks, are escaped."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"


def describe_confinement(confinement: ConfinementLevel) -> str:
    """Describe the confinement level and its layers, for `course grade` and `course doctor`."""
    from autograde.isolation.confinement_probes import LAYERS

    level = f"level {confinement.level}"
    level += "" if confinement.confined else ", NOT confined"
    present = ", ".join(LAYERS[layer].name for layer in confinement.layers) or "nothing else"
    missing = ", ".join(layer.name for key, layer in LAYERS.items() if key not in confinement.layers)
    return f"{level}: process boundary, limits, {present}{f'; without {missing}' if missing else ''}"


def warn_confinement(confinement: ConfinementLevel | None) -> None:
    """Print to standard error how submissions are confined; `confinement` is None on a cluster."""
    warn(describe_confinement(confinement) if confinement else CLUSTER_CONFINEMENT)


@contextmanager
def show_progress(what: str) -> Iterator[OnProgress]:
    """Show a progress bar with the time left on standard error; nothing if it is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=error_screen, transient=True, disable=not error_screen.is_terminal) as bars:
        bar = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(bar, completed=done, total=total)


def say_json(value: Any) -> None:
    """Print JSON. Lone surrogates, which occur in folder names that are not UTF-8, are escaped."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    click.echo(text.encode("utf-8", "backslashreplace").decode())


def say_verification(found: Verification) -> None:
    """Print a verification: the checks, the checks that catch each wrong program, and the problems."""
    from autograde.verification.problems import describe_problems

    say(found.slug)
    for index, title in enumerate(found.checks):
        screen.print(Text(f"{index:4d}  {title}"), overflow="ellipsis", no_wrap=True)
    width = max(map(len, found.kills), default=0)
    if found.kills and len(found.checks) > 10:
        say(f"{'':{width}}  {''.join(str(index // 10 or ' ') for index in range(len(found.checks)))}")
    if found.kills:
        say(f"{'caught by check':{width}}  {''.join(str(index % 10) for index in range(len(found.checks)))}")
    for name, caught in found.kills.items():
        say(f"{name:{width}}  {''.join('✗' if index in caught else '·' for index in range(len(found.checks)))}")
    for name, text in found.texts.items():
        say(f"{name}: {text.reason}" + (f"\n    hint: {text.hint}" if text.hint else ""))
    for hint, names in found.shared_hints.items():
        say(f"one hint for several misconceptions, {', '.join(names)}: {hint}")
    for each in (each for some in found.separations.values() for each in some if not each.separating):
        say(f"no drawn example separates {each.misconception} from {each.nearest}, so its hint is not given there")
    for sentence in describe_problems(found.flagged):
        say(sentence)
    for line in found.shown:
        say(line)
    for title in found.redundant:
        say(f"redundant, because an earlier check catches the same wrong programs: {title}")
    if found.confinement is not None and not found.confinement.confined:
        warn(f"{found.slug}: the course's own programs ran at {describe_confinement(found.confinement)}")
    for sentence in describe_problems(found.problems):
        warn(f"{found.slug}: {sentence}")
    state = "sound" if found.sound else f"NOT sound, {len(found.problems)} problem{'s' * (len(found.problems) > 1)}"
    say(f"{found.slug}: {len(found.right)} right, {len(found.kills)} wrong programs: {state}\n")


def say_class(title: str, result: ClassResult) -> None:
    """Print the class's points by exercise, the hints given, and the students who were not graded, with the reason."""
    reports = sorted(result.graded.items())
    exercises = list(dict.fromkeys(e.exercise for _, report in reports for e in report.exercises))
    table = Table(title=title)
    table.add_column("student", no_wrap=True)
    for name in ("score", *exercises):
        table.add_column(name, justify="right", overflow="fold")
    for student, report in reports:
        table.add_row(Text(student), f"{report.score:g}/{report.max_score:g}", *_format_marks(report, exercises))
    screen.print(table)
    if any(_has_stopped_check(e) for _, report in reports for e in report.exercises):
        say("! a check of this exercise crashed or ran out of time")
    for hint, students in group_students_by_hint(report for _, report in reports):
        more = f" and {len(students) - SHOWN_STUDENTS} more" if len(students) > SHOWN_STUDENTS else ""
        say(f"{len(students)} × {hint}  ({', '.join(students[:SHOWN_STUDENTS])}{more})")
    full = sum(report.score == report.max_score for _, report in reports)
    say(f"{len(reports)} graded, {full} with full marks, {len(result.errors)} not graded")
    for student, error in sorted(result.errors.items()):
        warn(f"{escape_unprintable(student)}: not graded: {error}")


def say_changes(changes: list[Change], path: Path) -> None:
    """Print what a regrade changed, for review; nothing if nothing has changed."""
    from autograde.records.grade_changes import exercises_text

    if not changes:
        return
    table = Table(
        title="Points of checks that changed since the last feedback, or since the first grading of the same work"
    )
    for name in ("student", "before", "after", "exercises", "because of the"):
        table.add_column(name, justify="right" if name in ("before", "after") else "left", overflow="fold")
    for change in changes:
        points = (f"{change.before:g}", f"{change.after:g}")
        table.add_row(Text(change.student), *points, Text(exercises_text(change)), ", ".join(change.because))
    screen.print(table)
    say(f"{len(changes)} changed; review them in {path}. Students see the changes after `course feedback`.")


def encode_class(slug: str, result: ClassResult) -> dict[str, Any]:
    """Return the result of grading a class as data for JSON."""
    graded = {student: {"score": r.score, "max_score": r.max_score} for student, r in sorted(result.graded.items())}
    return {
        "assignment": slug,
        "confinement": describe_confinement(result.confinement) if result.confinement else "",
        "graded": graded,
        "not_graded": dict(sorted(result.errors.items())),
    }


def _format_marks(report: Report, exercises: list[str]) -> list[str]:
    by_name = {exercise.exercise: exercise for exercise in report.exercises}
    found = [by_name.get(name) for name in exercises]
    return [f"{'! ' if _has_stopped_check(e) else ''}{e.score:g}/{e.max_score:g}" if e else "" for e in found]


def _has_stopped_check(exercise: Any) -> bool:
    return any(verdict.outcome in (Outcome.CRASHED, Outcome.TIMED_OUT) for verdict in exercise.verdicts)

"""What a student reads about one exercise, as HTML and as plain text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from autograde.pages.display import template
from autograde.pages.picture import picture
from autograde.report import Comparison, ExerciseReport, Outcome, Problem, ProblemKind, Verdict
from autograde.text import plain

FAILED_CELLS = (ProblemKind.CELL_STOPPED, ProblemKind.EXAMPLE_FAILED)
WORDS = {
    Outcome.PASSED: ("✓", "passed"),
    Outcome.FAILED: ("✗", "failed"),
    Outcome.NOT_WRITTEN: ("✗", "failed"),
    Outcome.CRASHED: ("‼", "crashed"),
    Outcome.TIMED_OUT: ("◷", "timed out"),
    Outcome.WAITING: ("…", "waiting"),
    Outcome.BROKEN: ("⚠", "our fault"),
}
NOTES = {
    Outcome.WAITING: "Not run yet: it waits for an earlier check. Mend that one first.",
    Outcome.BROKEN: "This check is broken. That is our fault, not yours, and it costs you nothing.",
    Outcome.TIMED_OUT: "It did not finish in the time allowed. Look for a loop that does not end, or for one over "
    "single numbers where torch could take the whole tensor.",
}
COST_POINTS = (Outcome.FAILED, Outcome.NOT_WRITTEN, Outcome.CRASHED, Outcome.TIMED_OUT)
TEXTS = ("reason", "hint", "replay", "traceback")
MAX_PICTURES = 2
"""in one exercise: what goes wrong once often goes wrong alike, and a page must stay small"""
MAX_SHOWN = 64
"""numbers written out below a picture"""


def exercise_html(exercise: ExerciseReport) -> str:
    """The report of one exercise as HTML without scripts or styles; all its text is escaped.

    Of a check that is broken nothing is shown but that it is: its words would be of our own code.
    """
    shown = [_describe(verdict) for verdict in exercise.verdicts]
    for one, verdict in zip(shown, exercise.verdicts, strict=True):
        if verdict.outcome is Outcome.BROKEN:
            one |= dict.fromkeys(TEXTS, "")
    told = _merge_same(shown)
    for same in [same for same in told if same[0]["comparison"]][:MAX_PICTURES]:
        same[0]["picture"] = picture(same[0]["comparison"])
        same[0]["numbers"] = numbers_text(same[0]["comparison"])
    page: str = template("exercise.html.j2").render(
        name=exercise.exercise,
        score=points_text(exercise.score),
        max_score=points_text(exercise.max_score),
        broken=any(verdict.outcome is Outcome.BROKEN for verdict in exercise.verdicts),
        verdicts=shown,
        told=told,
    )
    return page


def exercise_text(exercise: ExerciseReport) -> str:
    """The same as plain text, for terminals and for editors that show no HTML."""
    lines = [f"{exercise.exercise}: {points_text(exercise.score)} of {points_text(exercise.max_score)} points"]
    for verdict in exercise.verdicts:
        shown = _describe(verdict)
        lines.append(f"{shown['symbol']} {shown['word']:<9} {shown['title']} ({shown['points']}/{shown['max_points']})")
        hint = f"Hint: {shown['hint']}" if shown["hint"] else ""
        for text in (shown["note"], shown["reason"], hint, shown["replay"], shown["traceback"]):
            lines += [f"    {line}" for line in text.splitlines()]
    return "\n".join(lines)


def numbers_text(comparison: Comparison) -> str:
    """What came, row by row, wrong values with a star; empty if that is too much to read."""
    if len(comparison.got) > MAX_SHOWN:
        return ""
    wrong = set(comparison.wrong)
    got = [f"{number}{'*' if place in wrong else ' '}" for place, number in enumerate(comparison.got)]
    width, columns = max(map(len, got)), comparison.shape[-1] if comparison.shape else 1
    rows = [got[start : start + columns] for start in range(0, len(got), columns)]
    return "\n".join(" ".join(f"{number:>{width}}" for number in row) for row in rows)


def _describe(verdict: Verdict) -> dict[str, Any]:
    """A verdict in words; every value is plain text without control characters."""
    symbol, word = WORDS[verdict.outcome]
    note = NOTES.get(verdict.outcome, "")
    texts = {key: plain(getattr(verdict, key)) for key in ("title", *TEXTS)}
    waits = ""
    if verdict.outcome is Outcome.WAITING and verdict.reason:
        note, waits = "", texts["reason"]  # the reason names the check it waits for
    return {
        **texts,
        "symbol": symbol,
        "word": word,
        "note": note,
        "waits": waits,
        "title": texts["title"] or verdict.check,
        "points": points_text(verdict.points),
        "max_points": points_text(verdict.max_points),
        "comparison": verdict.comparison if verdict.outcome is Outcome.FAILED else None,
        "picture": None,
        "numbers": "",
    }


def _merge_same(shown: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Verdicts with a reason, hint or note, grouped by equal words, in the order of the first of each group.

    What a check waits for is in the table.
    """
    same: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for verdict in shown:
        reason = "" if verdict["waits"] else verdict["reason"]
        words = tuple(verdict[key] for key in ("word", "note", "hint", "replay", "traceback")) + (reason,)
        if any(words[1:]):
            same.setdefault(words, []).append(verdict)
    return list(same.values())


def count_outcomes(exercise: ExerciseReport) -> str:
    """`✓ 3 passed, ✗ 1 failed`; no line breaks within a count."""
    found = Counter(WORDS[verdict.outcome] for verdict in exercise.verdicts)
    in_order = [words for words in dict.fromkeys(WORDS.values()) if found[words]]
    return ", ".join(f"{symbol}\u00a0{found[symbol, word]}\u00a0{word}" for symbol, word in in_order)


def find_first_to_fix(exercise: ExerciseReport) -> dict[str, str] | None:
    """The first check that cost points and what is known of it, in a line; None if there is none."""
    lost = (v for v in exercise.verdicts if v.outcome in COST_POINTS and v.points < v.max_points)
    verdict = next(lost, None)
    if verdict is None:
        return None
    if verdict.outcome is Outcome.NOT_WRITTEN:
        return {"symbol": WORDS[verdict.outcome][0], "title": plain(verdict.reason), "told": ""}
    told = plain(verdict.hint or verdict.reason or NOTES.get(verdict.outcome, ""), 500).partition("\n")[0]
    return {"symbol": WORDS[verdict.outcome][0], "title": plain(verdict.title or verdict.check), "told": told}


def problem_text(problem: Problem) -> str:
    """What happened to the file or in the run, as a sentence; not escaped."""
    return f"cell {problem.cell}: {problem.text}" if problem.kind in FAILED_CELLS else problem.text


def points_text(points: float) -> str:
    """2 as `2`, 2.50 as `2.5`."""
    return f"{round(points, 2):g}"

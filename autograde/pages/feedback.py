"""What a student reads about one exercise, as HTML and as plain text."""

from __future__ import annotations

from collections import Counter
from typing import Any

from autograde.pages.display import load_template
from autograde.pages.picture import draw_picture
from autograde.report import Comparison, ExerciseReport, Outcome, Problem, ProblemKind, Verdict
from autograde.text import to_plain_text

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
"""in one exercise: further failures often look alike, and a page must stay small"""
MAX_SHOWN = 64
"""numbers written out below a picture"""


def render_exercise(exercise: ExerciseReport) -> str:
    """Render the report of one exercise as HTML without scripts or styles; all its text is escaped.

    Of a broken check it shows only that it is broken: its texts would be about our own code.
    """
    descriptions = [_describe(verdict) for verdict in exercise.verdicts]
    for description, verdict in zip(descriptions, exercise.verdicts, strict=True):
        if verdict.outcome is Outcome.BROKEN:
            description |= dict.fromkeys(TEXTS, "")
    # The most specific explanation comes first, because a student may read no further.
    groups = sorted(_merge_same(descriptions), key=lambda same: same[0]["specificity"])
    for same in [same for same in groups if same[0]["comparison"]][:MAX_PICTURES]:
        same[0]["picture"] = draw_picture(same[0]["comparison"])
        same[0]["numbers"] = format_numbers(same[0]["comparison"])
    page: str = load_template("exercise.html.j2").render(
        name=exercise.exercise,
        score=format_points(exercise.score),
        max_score=format_points(exercise.max_score),
        broken=any(verdict.outcome is Outcome.BROKEN for verdict in exercise.verdicts),
        verdicts=descriptions,
        groups=groups,
    )
    return page


def format_exercise(exercise: ExerciseReport) -> str:
    """Format the report of one exercise as plain text, for terminals and for editors that show no HTML."""
    lines = [f"{exercise.exercise}: {format_points(exercise.score)} of {format_points(exercise.max_score)} points"]
    for verdict in exercise.verdicts:
        facts = _describe(verdict)
        lines.append(f"{facts['symbol']} {facts['word']:<9} {facts['title']} ({facts['points']}/{facts['max_points']})")
        hint = f"Hint: {facts['hint']}" if facts["hint"] else ""
        for text in (facts["note"], facts["reason"], hint, facts["replay"], facts["traceback"]):
            lines += [f"    {line}" for line in text.splitlines()]
    return "\n".join(lines)


def format_numbers(comparison: Comparison) -> str:
    """The received values by rows, wrong ones with a star; empty if there are too many to read."""
    if len(comparison.got) > MAX_SHOWN:
        return ""
    wrong = set(comparison.wrong)
    got = [f"{number}{'*' if index in wrong else ' '}" for index, number in enumerate(comparison.got)]
    width, columns = max(map(len, got)), comparison.shape[-1] if comparison.shape else 1
    rows = [got[start : start + columns] for start in range(0, len(got), columns)]
    return "\n".join(" ".join(f"{number:>{width}}" for number in row) for row in rows)


def _describe(verdict: Verdict) -> dict[str, Any]:
    """Describe a verdict for the template; every text is plain, without control characters."""
    symbol, word = WORDS[verdict.outcome]
    note = NOTES.get(verdict.outcome, "")
    texts = {key: to_plain_text(getattr(verdict, key)) for key in ("title", *TEXTS)}
    waits = ""
    if verdict.outcome is Outcome.WAITING and verdict.reason:
        note, waits = "", texts["reason"]  # the reason names the check it waits for
    return {
        **texts,
        "specificity": verdict.specificity,
        "symbol": symbol,
        "word": word,
        "note": note,
        "waits": waits,
        "title": texts["title"] or verdict.check,
        "points": format_points(verdict.points),
        "max_points": format_points(verdict.max_points),
        "comparison": verdict.comparison if verdict.outcome is Outcome.FAILED else None,
        "picture": None,
        "numbers": "",
    }


def _merge_same(descriptions: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Group the verdicts that have a reason, hint or note by equal texts, in order of the first of each group.

    The check that another waits for is in the table instead.
    """
    same: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for verdict in descriptions:
        reason = "" if verdict["waits"] else verdict["reason"]
        words = tuple(verdict[key] for key in ("word", "note", "hint", "replay", "traceback")) + (reason,)
        if any(words[1:]):
            same.setdefault(words, []).append(verdict)
    return list(same.values())


def count_outcomes(exercise: ExerciseReport) -> str:
    """Format the counts as `✓ 3 passed, ✗ 1 failed`, without line breaks within a count."""
    found = Counter(WORDS[verdict.outcome] for verdict in exercise.verdicts)
    in_order = [words for words in dict.fromkeys(WORDS.values()) if found[words]]
    return ", ".join(f"{symbol}\u00a0{found[symbol, word]}\u00a0{word}" for symbol, word in in_order)


def find_first_to_fix(exercise: ExerciseReport) -> dict[str, str] | None:
    """Describe in one line the check that cost points and has the most specific explanation; None if there is none."""
    lost = (v for v in exercise.verdicts if v.outcome in COST_POINTS and v.points < v.max_points)
    verdict = min(lost, key=lambda verdict: verdict.specificity, default=None)
    if verdict is None:
        return None
    if verdict.outcome is Outcome.NOT_WRITTEN:
        return {"symbol": WORDS[verdict.outcome][0], "title": to_plain_text(verdict.reason), "advice": ""}
    advice = to_plain_text(verdict.hint or verdict.reason or NOTES.get(verdict.outcome, ""), 500).partition("\n")[0]
    return {
        "symbol": WORDS[verdict.outcome][0],
        "title": to_plain_text(verdict.title or verdict.check),
        "advice": advice,
    }


def format_problem(problem: Problem) -> str:
    """Format a problem of the file or the run as a sentence, not escaped."""
    return f"cell {problem.cell}: {problem.text}" if problem.kind in FAILED_CELLS else problem.text


def format_points(points: float) -> str:
    """Format 2.0 as `2` and 2.50 as `2.5`."""
    return f"{round(points, 2):g}"

"""What a student reads about one exercise, as HTML and as plain text."""

from __future__ import annotations

from typing import Any

from autograde.display import plain, template
from autograde.report import ExerciseReport, Outcome, Verdict

WORDS = {
    Outcome.PASSED: ("✓", "passed"),
    Outcome.FAILED: ("✗", "failed"),
    Outcome.CRASHED: ("‼", "crashed"),
    Outcome.TIMED_OUT: ("⏱", "timed out"),
    Outcome.WAITING: ("…", "waiting"),
    Outcome.BROKEN: ("⚠", "our fault"),
}
NOTES = {
    Outcome.WAITING: "Not run yet: it waits for an earlier check. Mend that one first.",
    Outcome.BROKEN: "This check is broken. That is our fault, not yours, and it costs you nothing.",
    Outcome.TIMED_OUT: "It did not finish in the time allowed.",
}


def exercise_html(exercise: ExerciseReport) -> str:
    """The report of one exercise as HTML without scripts or styles; all its text is escaped."""
    shown = [_shown(verdict) for verdict in exercise.verdicts]
    page: str = template("exercise.html.j2").render(
        name=exercise.exercise,
        score=points_text(exercise.score),
        max_score=points_text(exercise.max_score),
        broken=any(verdict.outcome is Outcome.BROKEN for verdict in exercise.verdicts),
        verdicts=shown,
        told=_told_once(shown),
    )
    return page


def exercise_text(exercise: ExerciseReport) -> str:
    """The same as plain text, for terminals and for editors that show no HTML."""
    lines = [f"{exercise.exercise}: {points_text(exercise.score)} of {points_text(exercise.max_score)} points"]
    for verdict in exercise.verdicts:
        shown = _shown(verdict)
        lines.append(f"{shown['symbol']} {shown['word']:<9} {shown['title']} ({shown['points']}/{shown['max_points']})")
        hint = f"Hint: {shown['hint']}" if shown["hint"] else ""
        for text in (shown["note"], shown["reason"], hint, shown["replay"], shown["traceback"]):
            lines += [f"    {line}" for line in text.splitlines()]
    return "\n".join(lines)


def _shown(verdict: Verdict) -> dict[str, Any]:
    """A verdict in words; every value is plain text without control characters."""
    symbol, word = WORDS[verdict.outcome]
    note = NOTES.get(verdict.outcome, "")
    if verdict.outcome is Outcome.WAITING and verdict.reason:
        note = ""  # the reason names the check it waits for
    texts = {key: plain(getattr(verdict, key)) for key in ("title", "reason", "hint", "replay", "traceback")}
    return {
        **texts,
        "symbol": symbol,
        "word": word,
        "note": note,
        "title": texts["title"] or verdict.check,
        "points": points_text(verdict.points),
        "max_points": points_text(verdict.max_points),
        "details": bool(note or any(texts[key] for key in ("reason", "hint", "replay", "traceback"))),
    }


def _told_once(shown: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Verdicts that have something to tell; those with the very same words together, in the order of the first."""
    same: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for verdict in shown:
        if verdict["details"]:
            words = tuple(verdict[key] for key in ("word", "note", "reason", "hint", "replay", "traceback"))
            same.setdefault(words, []).append(verdict)
    return list(same.values())


def points_text(points: float) -> str:
    """2 as `2`, 2.50 as `2.5`."""
    return f"{round(points, 2):g}"

"""Turns the exception that a check raised into a verdict, which says whose fault it is."""

from __future__ import annotations

import hashlib
import re
import traceback
from typing import Any

from autograde.client.errors import StudentError, WorkerLostError
from autograde.client.mismatch import Mismatch, hide_unrevealed
from autograde.exception_names import public_name
from autograde.grading.exception_hints import NOT_FOUND, find_hint, find_hint_for_cell
from autograde.grading.source_locations import find_course_line
from autograde.isolation.running_submission import WorkerCrashedError, WorkerTimeoutError
from autograde.report import Comparison, Outcome, Reveal, Verdict
from autograde.testing.checks import Check
from autograde.text import clean

NOT_WRITTEN = "not written yet: the cell still raises NotImplementedError"


def passed_verdict(check: Check) -> Verdict:
    return _make_verdict(check, Outcome.PASSED, points=check.points)


def waiting_verdict(check: Check, title: str) -> Verdict:
    return _make_verdict(check, Outcome.WAITING, reason=f"waits for: {title}")


def judge_exception(check: Check, raised: BaseException, reveal: Reveal, cell_error: str = "") -> Verdict:
    """The verdict for an exception that the check raised; BROKEN if no student can cause it.

    `cell_error` is the reason why the exercise's own cell did not run to its end, or empty.
    """
    replay = check.replay if reveal is not Reveal.NOTHING else ""
    match raised:
        case Mismatch():
            return _judge_mismatch(check, raised, reveal, replay)
        case StudentError(missing=True) if re.match(r"NotImplementedError\b", cell_error):
            return _make_verdict(check, Outcome.NOT_WRITTEN, reason=NOT_WRITTEN)
        case StudentError(not_written=True):
            return _make_verdict(check, Outcome.NOT_WRITTEN, reason=NOT_WRITTEN)
        case StudentError(missing=True):
            why = f"; its cell stopped: {cell_error}" if cell_error else ""
            hint = find_hint_for_cell(cell_error) if cell_error else NOT_FOUND
            return _make_verdict(check, Outcome.FAILED, reason=clean(raised.message + why, 500), hint=hint)
        case StudentError():
            hint = find_hint(raised.types, raised.message, raised.frames[-1][2] or "?" if raised.frames else "")
            where, answer = raised.traceback, _fingerprint(str(raised) + raised.traceback)
            return _make_verdict(
                check, Outcome.CRASHED, reason=str(raised), hint=hint, replay=replay, traceback=where, answer=answer
            )
        case WorkerLostError() | WorkerTimeoutError() | WorkerCrashedError():
            timed_out = isinstance(raised, WorkerTimeoutError) or getattr(raised, "timed_out", False)
            return _make_verdict(
                check,
                Outcome.TIMED_OUT if timed_out else Outcome.CRASHED,
                reason=clean(str(raised), 500),
                replay=replay,
            )
        case AssertionError():
            message = str(raised).split("\n", 1)[0]
            reason = "the property does not hold" if not message or message.startswith("assert ") else message
            return _make_verdict(check, Outcome.FAILED, reason=clean(reason, 500), replay=replay)
    # An engine fault: the traceback is for the instructor, and feedback shows no text of a broken check.
    trace = "".join(traceback.format_exception(raised))[-2000:]
    where = f" ({line})" if (line := find_course_line(raised)) else ""
    reason = clean(f"{public_name(raised)}: {raised}", 500) + where  # the message may quote the submission
    return _make_verdict(check, Outcome.BROKEN, reason=reason, traceback=clean(trace, 2000))


def _judge_mismatch(check: Check, raised: Mismatch, reveal: Reveal, replay: str) -> Verdict:
    comparison = raised.compared() if raised.compared else None
    return _make_verdict(
        check,
        Outcome.FAILED,
        reason=clean(raised.text(reveal), 1000),
        hint=raised.hint,
        misconception=raised.misconception,
        undecided=raised.undecided,
        replay=replay,
        traceback=raised.traceback,
        comparison=hide_unrevealed(comparison, reveal),
        answer=_fingerprint(raised.reason if comparison is None else _describe_rounded(comparison)),
    )


def _describe_rounded(comparison: Comparison) -> str:
    """The received values to three digits, since programs with the same mistake may round differently."""
    numbers = [number if isinstance(number, str) else f"{number:.3g}" for number in comparison.got]
    return repr((comparison.what, comparison.start, comparison.shape, numbers))


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _make_verdict(check: Check, outcome: Outcome, points: float = 0.0, **facts: Any) -> Verdict:
    """`margin` is set only for a check that ran; a waiting check still has that of the previous submission."""
    margin = None if outcome is Outcome.WAITING else check.margin
    return Verdict(
        check=check.name,
        title=check.title,
        outcome=outcome,
        points=points,
        max_points=check.points,
        margin=margin,
        **facts,
    )

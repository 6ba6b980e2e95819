"""Turns what a check raised into a verdict. Whoever is at fault, the text says so."""

from __future__ import annotations

import traceback
from typing import Any

from autograde.conversation import StudentError, WorkerLostError, clean
from autograde.mismatch import Mismatch
from autograde.report import Outcome, Reveal, Verdict
from autograde.sandbox import WorkerCrashedError, WorkerTimeoutError
from autograde.testing.checks import Check

NOT_WRITTEN = "not written yet: the cell still raises NotImplementedError"


def passed(check: Check) -> Verdict:
    return _verdict(check, Outcome.PASSED, points=check.points)


def waiting(check: Check, title: str) -> Verdict:
    return _verdict(check, Outcome.WAITING, reason=f"waits for: {title}")


def failed(check: Check, raised: BaseException, reveal: Reveal, cell_error: str = "") -> Verdict:
    """The verdict for what the check raised; an exception that no student can cause is BROKEN.

    `cell_error` is why the exercise's own cell did not run to its end, or empty.
    """
    replay = check.replay if reveal is not Reveal.NOTHING else ""
    match raised:
        case Mismatch():
            reason = clean(raised.text(reveal), 1000)
            return _verdict(
                check,
                Outcome.FAILED,
                reason=reason,
                hint=raised.hint,
                misconception=raised.misconception,
                undecided=raised.undecided,
                replay=replay,
            )
        case StudentError() if raised.types[0] == "NotImplementedError":
            return _verdict(check, Outcome.FAILED, reason=NOT_WRITTEN)
        case StudentError(missing=True):
            why = f"; its cell stopped with {cell_error}" if cell_error else ""
            return _verdict(check, Outcome.FAILED, reason=clean(raised.message + why, 500))
        case StudentError():
            return _verdict(check, Outcome.CRASHED, reason=str(raised), replay=replay, traceback=raised.traceback)
        case WorkerLostError() | WorkerTimeoutError() | WorkerCrashedError():
            late = isinstance(raised, WorkerTimeoutError) or getattr(raised, "timed_out", False)
            return _verdict(
                check, Outcome.TIMED_OUT if late else Outcome.CRASHED, reason=clean(str(raised), 500), replay=replay
            )
        case AssertionError():
            said = str(raised).split("\n", 1)[0]
            reason = "the property does not hold" if not said or said.startswith("assert ") else said
            return _verdict(check, Outcome.FAILED, reason=clean(reason, 500), replay=replay)
    # Ours: the trace is for the instructor; feedback shows none of a broken check's text.
    trace = "".join(traceback.format_exception(raised))[-2000:]
    return _verdict(check, Outcome.BROKEN, reason=f"{type(raised).__name__}: {raised}"[:500], traceback=trace)


def _verdict(check: Check, outcome: Outcome, points: float = 0.0, **said: Any) -> Verdict:
    return Verdict(check=check.name, title=check.title, outcome=outcome, points=points, max_points=check.points, **said)

"""What `verify` expects of each program's report.

Every expectation that is not met is a problem: a sentence that says which program, which check, and what to mend.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from autograde.notebooks.source import CHECKS
from autograde.report import Outcome, Report
from autograde.verification.result import Verification

WITHOUT_EXPERIMENTS = "without/experiments"
"""name of the solution as it is graded when what stands behind the last answer was run before it was handed in"""
CAUGHT = (Outcome.FAILED, Outcome.CRASHED, Outcome.TIMED_OUT)
"""outcomes by which a check catches a wrong program"""


def judge(
    found: Verification,
    solution: Report,
    others: Collection[Report],
    points: Mapping[str, float],
    misconceptions: Mapping[str, str],
) -> None:
    """Write into `found` what the reports say: of the instructor's `solution`, and of `others` by how they are named.

    points: exercise -> what its cell in the source is worth; misconceptions: name -> the exercise whose checks know it.
    """
    found.list_checks(solution)
    _expect_points(found, solution, points)
    uncompared = _expect_comparisons(found, solution)
    for report in (solution, *others):
        kind, _, name = report.student.partition("/")
        if kind not in ("decoy", "untouched"):
            found.note_margins(report)
        if kind == "wrong":
            _expect_caught(found, name, report, misconceptions, _lost(solution))
        elif kind == "idea":
            _expect_recognised(found, name, misconceptions[name], report)
        elif kind == "decoy":
            _expect_no_decoy(found, name, report, uncompared)
        elif kind == "untouched":
            _expect_nothing(found, report)
        else:
            found.right += [name] if kind == "right" else []
            _expect_to_run(found, report)
            _expect_full_marks(found, report, frozenset() if report is solution else _lost(solution))
    found.kills = dict(sorted(found.kills.items()))
    for listed in (found.right, found.flagged, found.problems):
        listed.sort()


def _expect_to_run(found: Verification, report: Report) -> None:
    """No public example fails on a right program, which would mislead students, and no cell on the solution.

    What comes after the examples is there to be watched; a right program written as loops may be too slow for it.
    """
    for cell in report.cells:
        if cell.error and ("/" not in report.student or cell.cell.endswith(CHECKS)):
            found.problems.append(f"{_named(report)} stops in the cell {cell.cell}: {cell.error}")


def _named(report: Report) -> str:
    if report.student == WITHOUT_EXPERIMENTS:
        return "the solution, when its cells behind the last answer are not run,"
    return f"{report.student}.py" if "/" in report.student else "the instructor's solution"


Lost = frozenset[tuple[str, str, str]]
"""(exercise, check, reason) of checks that did not pass"""


def _lost(report: Report) -> Lost:
    return frozenset(
        (exercise.exercise, verdict.check, verdict.reason)
        for exercise in report.exercises
        for verdict in exercise.verdicts
        if verdict.outcome is not Outcome.PASSED
    )


def _expect_full_marks(found: Verification, report: Report, told: Lost) -> None:
    """`told`: what the solution lost already. A check that waits is no news: what it waits for is told."""
    who = _named(report)
    for exercise in report.exercises:
        for verdict in exercise.verdicts:
            if verdict.outcome in (Outcome.PASSED, Outcome.WAITING):
                continue
            if (exercise.exercise, verdict.check, verdict.reason) in told:
                continue
            what = f"{exercise.exercise}: {verdict.title}: {verdict.outcome.value}: {verdict.reason}"
            if verdict.outcome is Outcome.BROKEN:
                found.problems.append(f"{who} finds a check broken, {what}")
            elif verdict.max_points == 0 and verdict.outcome is Outcome.FAILED and report.student.startswith("right/"):
                found.flagged.append(f"{who} is flagged in {what}")
            else:
                found.problems.append(f"{who} loses points in {what}")


def _expect_points(found: Verification, report: Report, points: Mapping[str, float]) -> None:
    for name in points.keys() - {exercise.exercise for exercise in report.exercises}:
        found.problems.append(f"exercise {name}: test_{name}.py holds no check; write one with @check(points=...)")
    for exercise in report.exercises:
        cell = points.get(exercise.exercise, 0)
        if cell != exercise.max_score:
            found.problems.append(
                f"exercise {exercise.exercise}: its checks are worth {exercise.max_score:g} points, "
                f"but the cell {exercise.exercise}-checks in source/{found.slug}.py says {cell:g}"
            )


def _expect_comparisons(found: Verification, solution: Report) -> set[str]:
    """The exercises in which nothing is compared with an oracle, so that no decoy could be noticed."""
    uncompared = {
        exercise.exercise
        for exercise in solution.exercises
        if all(verdict.outcome is Outcome.PASSED and verdict.margin is None for verdict in exercise.verdicts)
    }
    for exercise in sorted(uncompared):
        found.problems.append(
            f"exercise {exercise}: no check compares an answer with an oracle, so nothing shows that zeros would be "
            f"noticed; write in test_{exercise}.py: oracle.compare(student.f(x), x)"
        )
    return uncompared


def _expect_caught(found: Verification, name: str, report: Report, misconceptions: Collection[str], told: Lost) -> None:
    """`told`: what the solution lost already."""
    caught = [
        found.places[exercise.exercise, verdict.check]
        for exercise in report.exercises
        for verdict in exercise.verdicts
        if verdict.outcome in CAUGHT and verdict.max_points > 0
    ]
    found.kills[name] = caught
    found.named[name] = ", ".join(dict.fromkeys(v.misconception for v in report.verdicts if v.misconception))
    stopped = _stopped(report)
    broken = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.BROKEN]
    if broken and {verdict.reason for verdict in broken} <= {reason for _, _, reason in told}:
        return
    if broken:
        found.problems.append(f"wrong/{name}.py breaks the check {broken[0].title!r}: {broken[0].reason}")
    elif not caught:
        found.problems.append(f"wrong/{name}.py gets full marks; no check catches it")
    elif name in misconceptions and name not in {verdict.misconception for verdict in report.verdicts}:
        found.problems.append(
            f"wrong/{name}.py is caught, but its misconception {name} is not recognised: "
            f"{stopped or _why_unnamed(name, report)}"
        )
    elif not any(verdict.hint and verdict.outcome is Outcome.FAILED for verdict in report.verdicts):
        what = stopped or (
            f"write it as an @oracle.misconception named {name}, or give a hint where the check fails: "
            "expect(condition, reason, hint)"
        )
        found.problems.append(f"wrong/{name}.py is caught, but no hint names its idea: {what}")


def _stopped(report: Report) -> str:
    """Which cell of a program, an answer and not an example, did not run to its end; empty if all did."""
    stops = [cell for cell in report.cells if cell.error and not cell.cell.endswith(CHECKS)]
    return f"its cell {stops[0].cell} stops: {stops[0].error}" if stops else ""


def _why_unnamed(name: str, report: Report) -> str:
    """What keeps a misconception from being named, check by check where there are several."""
    for verdict in report.verdicts:
        if name in verdict.undecided:
            others = " and ".join(other for other in verdict.undecided if other != name)
            return (
                f"in {verdict.title!r} {others} gives the same numbers for every input; draw inputs for which they "
                "differ, make them one idea, or give one of them an oracle of its own"
            )
    named = {verdict.misconception for verdict in report.verdicts if verdict.misconception}
    if named:
        return f"what is recognised is {' and '.join(sorted(named))}"
    return "it gives other numbers than the program does"


def _expect_recognised(found: Verification, name: str, exercise: str, report: Report) -> None:
    """No program is written for this misconception: its own answers stand in, so that its hint has been seen once."""
    where = f"test_{exercise}.py: the misconception {name}"
    if all(verdict.outcome is Outcome.PASSED for verdict in report.verdicts):
        found.problems.append(f"{where} answers right wherever it is asked")
    elif name not in {verdict.misconception for verdict in report.verdicts}:
        found.problems.append(f"{where} is not recognised by its own answers")


def _expect_nothing(found: Verification, report: Report) -> None:
    """Whoever has written nothing gets nothing."""
    for exercise in report.exercises:
        for verdict in exercise.verdicts:
            if verdict.points > 0:
                found.problems.append(
                    f"{exercise.exercise}: {verdict.title}: gives {verdict.points:g} points to the stub, where nothing "
                    "is written; let the check call the function for a value first"
                )


def _expect_no_decoy(found: Verification, decoy: str, report: Report, uncompared: Collection[str]) -> None:
    """Every exercise that compares values must notice: a decoy may not keep all of its points."""
    for exercise in report.exercises:
        if exercise.score == exercise.max_score and exercise.exercise not in uncompared:
            found.problems.append(f"exercise {exercise.exercise}: {decoy} in place of every answer gets full marks")

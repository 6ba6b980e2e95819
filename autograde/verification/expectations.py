"""Compares each program's report with what is expected of the program; every difference is a problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograde.notebooks.source import CHECKS
from autograde.report import CellRun, Outcome, Report, Verdict
from autograde.verification.problems import Problem, ProblemKind
from autograde.verification.programs import SOLUTION, Kind, Program
from autograde.verification.result import Verification

CAUGHT = (Outcome.FAILED, Outcome.NOT_WRITTEN, Outcome.CRASHED, Outcome.TIMED_OUT)
"""outcomes by which a check catches a wrong program"""
NOTED = (Outcome.FAILED, Outcome.NOT_WRITTEN)
"""outcomes that a check without points may have on a right program"""

Lost = frozenset[tuple[str, str, Outcome]]
"""(exercise, check, outcome) of checks that the solution did not pass; not reported again for other programs"""


def judge(
    found: Verification,
    reports: Mapping[Program, Report],
    points: Mapping[str, float],
    misconceptions: Mapping[str, str],
) -> None:
    """Add the results of the programs' reports to `found`.

    points: exercise -> the points of its cell in the source;
    misconceptions: name -> the exercise whose checks recognise it.
    """
    solution = reports[SOLUTION]
    found.list_checks(solution)
    found.problems += _find_point_problems(found.slug, solution, points)
    uncompared = _find_uncompared(solution)
    found.problems += [Problem(kind=ProblemKind.NOTHING_COMPARED, exercise=name) for name in uncompared]
    for program, report in reports.items():
        lost: Lost = frozenset() if program == SOLUTION else _list_lost(solution)
        if program.kind not in (Kind.DECOY, Kind.OTHER_KIND, Kind.UNTOUCHED):
            found.note_margins(program, report)
        match program.kind:
            case Kind.WRONG:
                found.note_caught(program, report, CAUGHT)
                found.problems += _find_wrong_problems(program, report, misconceptions, lost)
            case Kind.MISCONCEPTION:
                found.problems += _find_misconception_problems(program, misconceptions[program.name], report)
            case Kind.DECOY:
                found.problems += _find_decoy_problems(program, report, uncompared)
            case Kind.OTHER_KIND:
                found.problems += _find_kind_problems(program, report, lost)
            case Kind.UNTOUCHED:
                found.problems += _find_stub_problems(report)
            case _:
                found.right += [program.name] if program == Program(Kind.RIGHT, program.name) else []
                found.problems += _find_cell_problems(program, report)
                _expect_full_marks(found, program, report, lost)
    found.kills = dict(sorted(found.kills.items()))
    found.right.sort()


def _list_verdicts(report: Report) -> Iterator[tuple[str, Verdict]]:
    for exercise in report.exercises:
        for verdict in exercise.verdicts:
            yield exercise.exercise, verdict


def _find_cell_problems(program: Program, report: Report) -> Iterator[Problem]:
    """Public examples that fail on a right program, which would mislead students; all failing cells of the solution.

    Experiments after the examples may fail on other right programs: one with loops may be too slow for them.
    """
    for run in report.cells:
        if run.error and (program.kind is Kind.SOLUTION or run.cell.endswith(CHECKS)):
            yield Problem(kind=ProblemKind.CELL_STOPS, program=program, cell=run.cell, reason=run.error)


def _list_lost(report: Report) -> Lost:
    return frozenset(
        (exercise, verdict.check, verdict.outcome)
        for exercise, verdict in _list_verdicts(report)
        if verdict.outcome is not Outcome.PASSED
    )


def _expect_full_marks(found: Verification, program: Program, report: Report, lost: Lost) -> None:
    """Add a problem for each check that is not passed, except waiting ones: the check they wait for is reported."""
    for exercise, verdict in _list_verdicts(report):
        if verdict.outcome in (Outcome.PASSED, Outcome.WAITING) or (exercise, verdict.check, verdict.outcome) in lost:
            continue
        kind, problems = ProblemKind.POINTS_LOST, found.problems
        if verdict.outcome is Outcome.BROKEN:
            kind = ProblemKind.CHECK_BROKEN
        elif verdict.max_points == 0 and verdict.outcome in NOTED and program.kind is Kind.RIGHT:
            kind, problems = ProblemKind.FLAGGED, found.flagged
        problems.append(
            Problem(
                kind=kind,
                program=program,
                exercise=exercise,
                title=verdict.title,
                outcome=verdict.outcome,
                reason=verdict.reason,
            )
        )


def _find_point_problems(slug: str, report: Report, points: Mapping[str, float]) -> Iterator[Problem]:
    for name in points.keys() - {exercise.exercise for exercise in report.exercises}:
        yield Problem(kind=ProblemKind.NO_CHECK, exercise=name)
    for exercise in report.exercises:
        cell_points = points.get(exercise.exercise, 0)
        if cell_points != exercise.max_score:
            yield Problem(
                kind=ProblemKind.POINTS_DIFFER,
                exercise=exercise.exercise,
                points=exercise.max_score,
                cell_points=cell_points,
                slug=slug,
            )


def _find_uncompared(solution: Report) -> set[str]:
    """The exercises in which no check compares values with an oracle, so that no check could catch a decoy."""
    return {
        exercise.exercise
        for exercise in solution.exercises
        if all(verdict.outcome is Outcome.PASSED and verdict.margin is None for verdict in exercise.verdicts)
    }


def _find_wrong_problems(
    program: Program, report: Report, misconceptions: Mapping[str, str], lost: Lost
) -> Iterator[Problem]:
    """A wrong program must be caught and get a hint, and be recognised by its misconception if it has one."""
    broken = [(exercise, verdict) for exercise, verdict in _list_verdicts(report) if verdict.outcome is Outcome.BROKEN]
    broken_for_solution = {exercise for exercise, _, outcome in lost if outcome is Outcome.BROKEN}
    if broken and {exercise for exercise, _ in broken} <= broken_for_solution:
        return  # the solution fails too, which is reported
    if broken:
        verdict = broken[0][1]
        yield Problem(kind=ProblemKind.BREAKS_CHECK, program=program, title=verdict.title, reason=verdict.reason)
    elif not any(verdict.outcome in CAUGHT and verdict.max_points > 0 for verdict in report.verdicts):
        yield Problem(kind=ProblemKind.NOT_CAUGHT, program=program)
    elif program.name in misconceptions and not _is_recognised(program, report):
        yield _explain_unrecognised(program, report)
    elif not any(verdict.hint and verdict.outcome is Outcome.FAILED for verdict in report.verdicts):
        if stopped := _find_stopped_cell(report):
            kind = ProblemKind.NO_HINT_CELL_STOPS
            yield Problem(kind=kind, program=program, cell=stopped.cell, reason=stopped.error)
        else:
            yield Problem(kind=ProblemKind.NO_HINT, program=program)


def _is_recognised(program: Program, report: Report) -> bool:
    return program.name in {verdict.misconception for verdict in report.verdicts}


def _find_stopped_cell(report: Report) -> CellRun | None:
    """Find the first cell, other than examples, that did not run to its end."""
    return next((cell for cell in report.cells if cell.error and not cell.cell.endswith(CHECKS)), None)


def _explain_unrecognised(program: Program, report: Report) -> Problem:
    """Explain why a misconception is not recognised."""
    if stopped := _find_stopped_cell(report):
        kind = ProblemKind.MISCONCEPTION_CELL_STOPS
        return Problem(kind=kind, program=program, cell=stopped.cell, reason=stopped.error)
    for verdict in report.verdicts:
        if program.name in verdict.undecided:
            others = tuple(other for other in verdict.undecided if other != program.name)
            kind = ProblemKind.MISCONCEPTION_AMBIGUOUS
            return Problem(kind=kind, program=program, title=verdict.title, others=others)
    named = {verdict.misconception for verdict in report.verdicts if verdict.misconception}
    if named:
        return Problem(kind=ProblemKind.MISCONCEPTION_OTHER, program=program, others=tuple(sorted(named)))
    return Problem(kind=ProblemKind.MISCONCEPTION_NUMBERS, program=program)


def _find_misconception_problems(program: Program, exercise: str, report: Report) -> Iterator[Problem]:
    """A misconception without a program must be recognised by its own answers, so that its hint is tested."""
    if all(verdict.outcome is Outcome.PASSED for verdict in report.verdicts):
        yield Problem(kind=ProblemKind.MISCONCEPTION_RIGHT, program=program, exercise=exercise)
    elif not _is_recognised(program, report):
        yield Problem(kind=ProblemKind.MISCONCEPTION_UNRECOGNISED, program=program, exercise=exercise)


def _find_stub_problems(report: Report) -> Iterator[Problem]:
    """Every check says of an untouched stub that it is not written, or waits for a check that says so."""
    for exercise, verdict in _list_verdicts(report):
        if verdict.outcome in (Outcome.NOT_WRITTEN, Outcome.WAITING):
            continue
        kind = ProblemKind.STUB_EARNS if verdict.points > 0 else ProblemKind.STUB_JUDGED
        yield Problem(
            kind=kind,
            exercise=exercise,
            title=verdict.title,
            points=verdict.points,
            outcome=verdict.outcome,
            reason=verdict.reason or "no reason",
        )


def _find_decoy_problems(program: Program, report: Report, uncompared: set[str]) -> Iterator[Problem]:
    """A decoy must lose points in every exercise that compares values."""
    for exercise in report.exercises:
        if exercise.score == exercise.max_score and exercise.exercise not in uncompared:
            yield Problem(kind=ProblemKind.DECOY_PASSES, program=program, exercise=exercise.exercise)


def _find_kind_problems(program: Program, report: Report, lost: Lost) -> Iterator[Problem]:
    """No check with points accepts values of another kind, and none breaks on them unless the solution fails it too."""
    fails_anyway = {(exercise, check) for exercise, check, _ in lost}
    for exercise, verdict in _list_verdicts(report):
        if verdict.outcome is Outcome.BROKEN and (exercise, verdict.check) not in fails_anyway:
            kind = ProblemKind.KIND_BREAKS
        elif verdict.outcome is Outcome.PASSED and verdict.points > 0:
            kind = ProblemKind.KIND_PASSES
        else:
            continue
        yield Problem(kind=kind, program=program, exercise=exercise, title=verdict.title, reason=verdict.reason)

"""Which programs are graded to verify an assignment, and with which options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from autograde.course import Work
from autograde.grading.options import Options
from autograde.notebooks.extract import Submission
from autograde.testing.decoys import COMMON_KINDS, DECOYS
from autograde.verification.programs import (
    SOLUTION,
    Kind,
    Program,
    build_submission,
    build_untouched_submission,
    cut_experiments,
    find_replaced_exercises,
    list_programs,
)

DEFAULTS = Options()


@dataclass(frozen=True)
class ProgramOrder:
    """A program as a submission, and the options for grading it."""

    program: Program
    submission: Submission
    """its student's name is the program's label, because grader pools return reports by student"""
    options: Options = DEFAULTS


def list_right_orders(work: Work, solution: Submission, drafted: Path, seeds: int) -> Iterator[ProgramOrder]:
    """The solution and the right programs; only the solution, and only once, runs the experiments."""
    yield ProgramOrder(SOLUTION, replace(solution, student=SOLUTION.label))
    # Students submit with the experiments run, and those are not run again: no check may need what they define.
    yield _make_order(solution, Program(Kind.WITHOUT_EXPERIMENTS))
    right = {program: build_submission(work, program, drafted) for program in list_programs(work, Kind.RIGHT)}
    for program, submission in right.items():
        yield ProgramOrder(program, replace(cut_experiments(submission, keep_checks=True), student=program.label))
    for seed in range(work.course.seed + 1, work.course.seed + seeds):
        for program, submission in [(SOLUTION, solution), *right.items()]:
            yield _make_order(submission, replace(program, seed=seed), Options(seed=seed))


def list_wrong_orders(work: Work, drafted: Path, every_check: bool) -> Iterator[ProgramOrder]:
    for program in list_programs(work, Kind.WRONG):
        exercises = frozenset() if every_check else find_replaced_exercises(work, program)
        submission = build_submission(work, program, drafted)
        yield _make_order(submission, program, Options(ignore_after=True, exercises=exercises))


def make_untouched_order(work: Work, drafted: Path) -> ProgramOrder:
    return ProgramOrder(Program(Kind.UNTOUCHED), build_untouched_submission(work, drafted))


def list_decoy_orders(work: Work, solution: Submission, misconceptions: Mapping[str, str]) -> Iterator[ProgramOrder]:
    """The solution with its answers replaced by decoys, or by those of misconceptions without a program."""
    for name in DECOYS:
        yield _make_order(solution, Program(Kind.DECOY, name), Options(ignore_after=True, decoy=name))
    for name in COMMON_KINDS:
        yield _make_order(solution, Program(Kind.OTHER_KIND, name), Options(ignore_after=True, decoy=name))
    written = {program.name for program in list_programs(work, Kind.WRONG)}
    for name in sorted(misconceptions.keys() - written):
        options = Options(ignore_after=True, exercises=frozenset({misconceptions[name]}), decoy=name)
        yield _make_order(solution, Program(Kind.MISCONCEPTION, name), options)


def restrict_orders(work: Work, orders: Iterable[ProgramOrder], exercise: str) -> Iterator[ProgramOrder]:
    """The orders that concern one exercise, with its checks alone."""
    for order in orders:
        concerns = not order.options.exercises or exercise in order.options.exercises
        if order.program.kind in (Kind.RIGHT, Kind.WRONG):
            concerns &= exercise in find_replaced_exercises(work, order.program)
        if concerns:
            yield replace(order, options=replace(order.options, exercises=frozenset({exercise})))


def _make_order(submission: Submission, program: Program, options: Options = DEFAULTS) -> ProgramOrder:
    return ProgramOrder(program, replace(cut_experiments(submission), student=program.label), options)

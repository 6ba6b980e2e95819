"""The problems that `course verify` finds in an assignment, and the sentences that report them to authors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from autograde.report import Outcome
from autograde.verification.programs import Kind, Program


class ProblemKind(Enum):
    """What is wrong. The value is the sentence; its fields are those of Problem, with `who` for the program."""

    CELL_STOPS = "{who} stops in the cell {cell}: {reason}"
    CHECK_BROKEN = "{who} finds a check broken, {exercise}: {title}: {outcome.value}: {reason}"
    POINTS_LOST = "{who} loses points in {exercise}: {title}: {outcome.value}: {reason}"
    FLAGGED = "{who} is flagged in {exercise}: {title}: {outcome.value}: {reason}"
    NO_CHECK = "exercise {exercise}: test_{exercise}.py contains no check; write one with @check(points=...)"
    POINTS_DIFFER = (
        "exercise {exercise}: its checks are worth {points:g} points, "
        "but the cell {exercise}-checks in source/{slug}.py says {cell_points:g}"
    )
    HEADING_POINTS = "the heading {title!r} states {cell_points:g} points; the cells below it are worth {points:g}"
    TABLE_POINTS = "the table row {title!r} states {cell_points:g} points; its cells are worth {points:g}"
    TABLE_ROWS = "the table of points has {cell_points:g} rows; {points:g} sections of the notebook are worth points"
    SHARED_FUNCTION = (
        "the function {title} in the locked cell {cell} has the body of {others} in {slug}; write it in one notebook "
        "only, so that a correction cannot miss the other"
    )
    NOTHING_COMPARED = (
        "exercise {exercise}: no check compares an answer with an oracle, so it is unknown whether zeros would be "
        "noticed; write in test_{exercise}.py: oracle.compare(student.f(x), x)"
    )
    BREAKS_CHECK = "{who} breaks the check {title!r}: {reason}"
    NOT_CAUGHT = "{who} gets full marks; no check catches it"
    MISCONCEPTION_CELL_STOPS = (
        "{who} is caught, but its misconception {program.name} is not recognised: its cell {cell} stops: {reason}"
    )
    MISCONCEPTION_AMBIGUOUS = (
        "{who} is caught, but its misconception {program.name} is not recognised: in {title!r} {others} gives the same "
        "numbers for every input; draw inputs for which they differ, merge the misconceptions, or give one of them "
        "a separate oracle"
    )
    MISCONCEPTION_OTHER = (
        "{who} is caught, but its misconception {program.name} is not recognised; {others} is recognised instead"
    )
    MISCONCEPTION_NUMBERS = (
        "{who} is caught, but its misconception {program.name} is not recognised: its numbers differ from the program's"
    )
    NO_HINT_CELL_STOPS = "{who} is caught, but no hint names its misconception: its cell {cell} stops: {reason}"
    NO_HINT = (
        "{who} is caught, but no hint names its misconception: write it as an @oracle.misconception named "
        "{program.name}, or give a hint where the check fails: expect(condition, reason, hint)"
    )
    MISCONCEPTION_RIGHT = "test_{exercise}.py: the misconception {program.name} gives the right answer in every check"
    MISCONCEPTION_UNRECOGNISED = (
        "test_{exercise}.py: the misconception {program.name} is not recognised by its own answers"
    )
    STUB_EARNS = (
        "{exercise}: {title}: gives {points:g} points to the untouched stub; "
        "let the check call the function for a value first"
    )
    STUB_JUDGED = (
        "{exercise}: {title}: reports {outcome.value} for the untouched stub ({reason}); call the function before "
        "anything else, inside student.hint or student.raises if necessary, or let the check wait: @check(after=...)"
    )
    KIND_BREAKS = (
        "{exercise}: {title}: breaks on {program.name} instead of an answer ({reason}); compare the answer, or call "
        "expect_like, before anything is calculated with it"
    )
    KIND_PASSES = (
        "{exercise}: {title}: passes with {program.name} instead of every answer; compare one, or give contract.all_of "
        "what the result must be like"
    )
    DECOY_PASSES = "exercise {exercise}: {program.name} instead of every answer gets full marks"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One reason not to release. Fields that do not concern its kind are empty."""

    kind: ProblemKind
    program: Program | None = None
    exercise: str = ""
    title: str = ""
    """the check's"""
    outcome: Outcome | None = None
    reason: str = ""
    """why the check failed or the cell stopped"""
    cell: str = ""
    points: float = 0.0
    cell_points: float = 0.0
    others: tuple[str, ...] = ()
    """other misconceptions"""
    slug: str = ""


def describe_problems(problems: Iterable[Problem]) -> list[str]:
    """Describe the problems to authors in sentences, sorted."""
    return sorted(map(describe_problem, problems))


def describe_problem(problem: Problem) -> str:
    """Describe the program, the check, and what to change in a sentence."""
    facts = vars(problem) | {"who": describe_program(problem.program), "others": " and ".join(problem.others)}
    return problem.kind.value.format(**facts)


def describe_program(program: Program | None) -> str:
    """Name the program as the subject of a sentence."""
    match program:
        case None:
            return ""
        case Program(Kind.SOLUTION, _, seed):
            name = "the instructor's solution"
        case Program(Kind.WITHOUT_EXPERIMENTS, _, seed):
            return "the solution, without the cells after its last answer,"
        case Program(kind, name, seed):
            name = f"{kind.value}/{name}.py"
    return name if seed is None else f"{name}, with seed {seed},"

"""The record of one graded submission. Gradebook, notebooks, pages and exports are derived from it alone.

A report holds no time, host or path, so grading the same submission twice gives the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from autograde.disk import write_whole
from autograde.old_reports import upgrade

SCHEMA = 3
"""Reports of older versions are read too; `old_reports` says what differs in them."""

Number = float | str
"""`nan`, `inf` and `-inf` are text: JSON has no such numbers"""


class Outcome(Enum):
    """What became of a check. Only PASSED earns points."""

    PASSED = "passed"
    FAILED = "failed"
    """the answer is wrong"""
    NOT_WRITTEN = "not written"
    """the stub is untouched: it raises NotImplementedError; students read of it as of FAILED"""
    CRASHED = "crashed"
    """the submission raised, died, or sent what no answer is"""
    TIMED_OUT = "timed out"
    WAITING = "waiting"
    """an earlier check must pass first"""
    BROKEN = "broken"
    """our fault: the report is withheld, and no student loses points"""


class Reveal(Enum):
    """How much of a hidden check's data a report shows."""

    NOTHING = "nothing"
    INPUT = "input"
    EXPECTED = "input and expected"


class ProblemKind(Enum):
    """What happened when a submission's file was read and its notebook was run."""

    REPAIRED = "file repaired"
    """something was put back as it was released"""
    DROPPED = "part dropped"
    """part of the file was not accepted"""
    ANSWER_MISSING = "answer missing"
    """a cell where an answer belongs is not there"""
    CELL_STOPPED = "cell stopped"
    EXAMPLE_FAILED = "public example failed"
    """a cell of public examples stopped; the verdicts say the same"""
    NOTEBOOK_STOPPED = "notebook stopped"
    """no check could run"""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a submission's file or of its run. `pages` makes a sentence of it."""

    kind: ProblemKind
    cell: str = ""
    """the cell's id in the repaired notebook; empty if it is no single cell's problem"""
    text: str
    """of a cell that stopped, the error; else a sentence"""


class ConfinementLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What confined a submission besides the process border and the limits, as probes have shown."""

    level: str
    """its letter, as in docs/threat-model.md"""
    confined: bool
    """False: nothing could hold the submission, and the course accepted that"""
    layers: list[str]
    """the layers in place, by their names in `autograde.worker.confinement.Layers`"""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers around the worst place of a wrong answer: few enough to keep, and to draw."""

    what: str
    """what was compared, as in "the gradient of `x`"."""
    of: list[int]
    """shape of the whole answer"""
    start: list[int]
    """index, in the whole answer, of the first number that is kept"""
    shape: list[int]
    """of what is kept, along the last axes: [length] or [rows, columns]"""
    got: list[Number]
    """what came, row after row, to six digits"""
    wrong: list[int]
    """places in `got` of values that are off"""
    expected: list[Number] = []
    """what should have come; empty unless the course reveals it"""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One check of one submission. All text is plain, and escaped where it is shown."""

    check: str
    """the test's name, unique within its exercise"""
    title: str
    outcome: Outcome
    points: float
    max_points: float
    reason: str = ""
    """what was measured, in a sentence"""
    hint: str = ""
    """advice: the misconception's or the check's own words"""
    misconception: str = ""
    """name of the misconception, if exactly one explains every number"""
    undecided: list[str] = []
    """names of the misconceptions, if several explain every number, so that none may be named"""
    replay: str = ""
    """lines to paste under the submission that show the failure, as far as the course reveals it"""
    traceback: str = ""
    """where in the submission it crashed, by cell and line"""
    comparison: Comparison | None = None
    """the smallest failing example's numbers, as far as the course reveals them"""
    answer: str = ""
    """fingerprint of a wrong answer: equal when the same wrong numbers came"""
    margin: float | None = None
    """the largest error that was met, in units of what was allowed there; None if no values were compared"""


class ExerciseReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of one exercise, in the order of its test file."""

    exercise: str
    verdicts: list[Verdict]

    @property
    def score(self) -> float:
        return sum(verdict.points for verdict in self.verdicts)

    @property
    def max_score(self) -> float:
        return sum(verdict.max_points for verdict in self.verdicts)


class CellRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one code cell did when the worker ran the notebook."""

    cell: str
    """the cell's id"""
    outputs: list[dict[str, Any]] = []
    """nbformat outputs, bounded, exactly as the submission made them: hostile until sanitized"""
    error: str = ""
    """one line, empty if the cell ran to its end"""
    ran: bool = True
    """False: not run again; the outputs are those that were submitted"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the grader has to say about one submission."""

    schema: int = SCHEMA
    assignment: str
    student: str
    digest: str
    """of the submission, the hidden tests, the reference, the engine and the policies: equal digest, equal report"""
    problems: list[Problem] = []
    """what was repaired or refused in the file, what the notebook run met"""
    exercises: list[ExerciseReport] = []
    cells: list[CellRun] = []
    environment: dict[str, str] = {}
    """device, torch version: what may explain a difference between two reports"""
    confinement: ConfinementLevel | None = None
    """None: the submission was not run"""

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict for exercise in self.exercises for verdict in exercise.verdicts]

    @property
    def score(self) -> float:
        return sum(exercise.score for exercise in self.exercises)

    @property
    def max_score(self) -> float:
        return sum(exercise.max_score for exercise in self.exercises)

    @property
    def withheld(self) -> bool:
        """True when a fault of ours spoils the report: no grade may be taken from it."""
        return any(verdict.outcome is Outcome.BROKEN for verdict in self.verdicts)

    @property
    def unconfined(self) -> bool:
        """True when the submission ran where nothing could hold it."""
        return self.confinement is not None and not self.confinement.confined


class _Version(msgspec.Struct):
    """As much of a report as says how to read the rest."""

    schema: int


def broken(assignment: str, student: str, reason: str) -> Report:
    """A report that is withheld: the fault is ours."""
    verdict = Verdict(check="grader", title="grading", outcome=Outcome.BROKEN, points=0, max_points=0, reason=reason)
    exercises = [ExerciseReport(exercise="grader", verdicts=[verdict])]
    return Report(assignment=assignment, student=student, digest="", exercises=exercises)


def students_by_hint(reports: Iterable[Report]) -> list[tuple[str, list[str]]]:
    """Hints with the students whose answers they explain, the commonest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        for hint in dict.fromkeys(v.hint for v in report.verdicts if v.hint and v.outcome is Outcome.FAILED):
            found[hint].append(report.student)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def report_schema() -> bytes:
    """The JSON Schema of a report, as published in docs/report.schema.json."""
    schema = {"title": f"A report of the grader, version {SCHEMA}"} | msgspec.json.schema(Report)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def encode_report(report: Report) -> bytes:
    """The report as indented JSON, keys in the order of the fields."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode_report(data: bytes) -> Report:
    """Read back `encode_report`'s bytes, also an older version's; msgspec.ValidationError if they are anything else."""
    version = msgspec.json.decode(data, type=_Version).schema
    if version == SCHEMA:
        return msgspec.json.decode(data, type=Report)
    if version > SCHEMA:
        raise msgspec.ValidationError(f"version {version} of a report; this engine reads up to version {SCHEMA}")
    return msgspec.convert(upgrade(data), Report)


def write_report(report: Report, path: Path) -> None:
    """Write so that a reader sees the old report or the new one, never half of one."""
    write_whole(path, encode_report(report))

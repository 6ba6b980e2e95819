"""The report of one graded submission. The gradebook, notebooks, pages and exports are derived only from reports.

A report contains no time, host name or path, so grading the same submission twice gives the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from autograde.disk import write_atomically
from autograde.old_reports import upgrade

SCHEMA = 3
"""Older versions can be read too; `old_reports` describes the differences."""

Number = float | str
"""`nan`, `inf` and `-inf` are stored as text, because JSON has no such numbers"""


class Outcome(Enum):
    """The outcome of a check. Only PASSED earns points."""

    PASSED = "passed"
    FAILED = "failed"
    """the answer is wrong"""
    NOT_WRITTEN = "not written"
    """the stub is unchanged and raises NotImplementedError; students see it as FAILED"""
    CRASHED = "crashed"
    """the submission raised an exception, died, or sent an invalid answer"""
    TIMED_OUT = "timed out"
    WAITING = "waiting"
    """an earlier check must pass first"""
    BROKEN = "broken"
    """a fault of the engine or the checks: the report is withheld, and the student loses no points"""


class Reveal(Enum):
    """How much of a hidden check's data a report shows."""

    NOTHING = "nothing"
    INPUT = "input"
    EXPECTED = "input and expected"


class ProblemKind(Enum):
    """What happened when a submission's file was read and its notebook was run."""

    REPAIRED = "file repaired"
    """a part was restored from the release"""
    DROPPED = "part dropped"
    """part of the file was not accepted"""
    ANSWER_MISSING = "answer missing"
    """an answer cell is missing"""
    CELL_STOPPED = "cell stopped"
    EXAMPLE_FAILED = "public example failed"
    """a cell of public examples stopped; the verdicts also report the error"""
    NOTEBOOK_STOPPED = "notebook stopped"
    """no check could run"""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem of a submission's file or of its run; `pages` formats it as a sentence."""

    kind: ProblemKind
    cell: str = ""
    """the cell's id in the repaired notebook; empty if the problem does not belong to one cell"""
    text: str
    """the error, if a cell stopped; otherwise a sentence"""


class ConfinementLevel(msgspec.Struct, frozen=True, kw_only=True):
    """What confined a submission besides the process boundary and the limits, as verified by probes."""

    level: str
    """its letter, as in docs/threat-model.md"""
    confined: bool
    """False: the machine could not confine the submission, and the course accepts that"""
    layers: list[str]
    """the layers in place, by their names in `autograde.worker.confinement.Layers`"""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers around the largest error of a wrong answer, few enough to store and to draw."""

    what: str
    """what was compared, as in "the gradient of `x`"."""
    of: list[int]
    """shape of the complete answer"""
    start: list[int]
    """index, in the complete answer, of the first number in `got`"""
    shape: list[int]
    """shape of `got` along the last axes: [length] or [rows, columns]"""
    got: list[Number]
    """the student's values in row-major order, rounded to six digits"""
    wrong: list[int]
    """indices in `got` of the wrong values"""
    expected: list[Number] = []
    """the expected values; empty unless the course reveals them"""


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
    """advice from the misconception or from the check"""
    misconception: str = ""
    """name of the misconception, if exactly one explains every number"""
    undecided: list[str] = []
    """names of the misconceptions, if several explain every number; `misconception` is empty then"""
    replay: str = ""
    """code to paste below the submission to reproduce the failure, as far as the course reveals it"""
    traceback: str = ""
    """cells and lines of the submission where it crashed"""
    comparison: Comparison | None = None
    """the smallest failing example's numbers, as far as the course reveals them"""
    answer: str = ""
    """fingerprint of a wrong answer: equal for equal wrong numbers"""
    margin: float | None = None
    """the largest error divided by the tolerance at that value; None if no values were compared"""

    @property
    def specificity(self) -> int:
        """How special the explanation is, 0 first: a misconception, a check's hint, the advice for an exception."""
        if self.misconception:
            return 0
        return (1 if self.outcome is Outcome.FAILED else 2) if self.hint else 3


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
    """The outputs and the error of one code cell that the worker ran."""

    cell: str
    """the cell's id"""
    outputs: list[dict[str, Any]] = []
    """nbformat outputs as the submission made them: limited in size, but untrusted until sanitized"""
    error: str = ""
    """one line; empty if the cell completed"""
    ran: bool = True
    """False: the cell was not run again; the outputs are the submitted ones"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the grader found about one submission."""

    schema: int = SCHEMA
    assignment: str
    student: str
    digest: str
    """of the submission, hidden tests, reference, engine and policies; equal digests mean equal reports"""
    problems: list[Problem] = []
    """what was repaired or refused in the file, and what stopped while the notebook ran"""
    exercises: list[ExerciseReport] = []
    cells: list[CellRun] = []
    environment: dict[str, str] = {}
    """device and torch version, which may explain a difference between two reports"""
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
        """True if the engine or a check is at fault: the report must not be used for a grade."""
        return any(verdict.outcome is Outcome.BROKEN for verdict in self.verdicts)

    @property
    def unconfined(self) -> bool:
        """True if the submission ran unconfined."""
        return self.confinement is not None and not self.confinement.confined


class _Version(msgspec.Struct):
    """The version of a report, which decides how the rest is read."""

    schema: int


def broken_report(assignment: str, student: str, reason: str) -> Report:
    """Make a report that is withheld because the engine is at fault."""
    verdict = Verdict(check="grader", title="grading", outcome=Outcome.BROKEN, points=0, max_points=0, reason=reason)
    exercises = [ExerciseReport(exercise="grader", verdicts=[verdict])]
    return Report(assignment=assignment, student=student, digest="", exercises=exercises)


def group_students_by_hint(reports: Iterable[Report]) -> list[tuple[str, list[str]]]:
    """Return the hints with the students whose answers they explain, the most frequent first."""
    found: dict[str, list[str]] = defaultdict(list)
    for report in reports:
        for hint in dict.fromkeys(v.hint for v in report.verdicts if v.hint and v.outcome is Outcome.FAILED):
            found[hint].append(report.student)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def report_schema() -> bytes:
    """Return the JSON Schema of a report, which is published in docs/report.schema.json."""
    schema = {"title": f"A report of the grader, version {SCHEMA}"} | msgspec.json.schema(Report)
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def encode_report(report: Report) -> bytes:
    """Encode the report as indented JSON with the keys in the order of the fields."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def decode_report(data: bytes) -> Report:
    """Decode `encode_report`'s bytes of this or an older version. msgspec.ValidationError for anything else."""
    version = msgspec.json.decode(data, type=_Version).schema
    if version == SCHEMA:
        return msgspec.json.decode(data, type=Report)
    if version > SCHEMA:
        raise msgspec.ValidationError(f"version {version} of a report; this engine reads up to version {SCHEMA}")
    return msgspec.convert(upgrade(data), Report)


def write_report(report: Report, path: Path) -> None:
    """Write the report atomically: a reader sees the old one or the new one."""
    write_atomically(path, encode_report(report))

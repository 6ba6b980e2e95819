"""The results of `verify` for one assignment."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from autograde.report import ConfinementLevel, Outcome, Report
from autograde.testing.separation import Separation
from autograde.verification.problems import Problem
from autograde.verification.programs import Kind, Program

Near = dict[int, tuple[float, str]]


@dataclass(frozen=True)
class Feedback:
    """What feedback says of one check."""

    title: str
    reason: str
    hint: str
    misconception: str


@dataclass
class Verification:
    """The results for one assignment."""

    slug: str
    problems: list[Problem] = field(default_factory=list)
    """each a reason not to release"""
    checks: list[str] = field(default_factory=list)
    """`exercise: title`, in order"""
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    """(exercise, check) -> its index in `checks`"""
    flags: set[int] = field(default_factory=set)
    """the checks without points"""
    kills: dict[str, list[int]] = field(default_factory=dict)
    """wrong program -> the checks (by index) that catch it"""
    right: list[str] = field(default_factory=list)
    flagged: list[Problem] = field(default_factory=list)
    """failures of checks without points on right programs, which do not prevent a release"""
    shown: list[str] = field(default_factory=list)
    """lines of a solution that the source also shows to students elsewhere, perhaps on purpose"""
    confinement: ConfinementLevel | None = None
    """how the programs were confined"""
    named: dict[str, str] = field(default_factory=dict)
    """wrong program -> the misconceptions that feedback names for it"""
    texts: dict[str, Feedback] = field(default_factory=dict)
    """wrong program -> what a student with that program reads first"""
    separations: dict[str, list[Separation]] = field(default_factory=dict)
    """exercise -> for each misconception, the nearest other program and an example that tells the two apart"""
    nearest_right: Near = field(default_factory=dict)
    """check (by index) -> the largest error of a right program, in units of the tolerance, and the program"""
    nearest_wrong: Near = field(default_factory=dict)
    """check (by index) -> the smallest error that it caught in a wrong program, and the program"""

    @property
    def sound(self) -> bool:
        return not self.problems

    @property
    def redundant(self) -> list[str]:
        """Checks that catch only wrong programs that an earlier check catches; none if there are no wrong programs."""
        if not self.kills:
            return []
        first = {caught[0] for caught in self.kills.values() if caught}
        return [title for index, title in enumerate(self.checks) if index not in first | self.flags]

    @property
    def shared_hints(self) -> dict[str, list[str]]:
        """A hint -> the wrong programs that get it first, if these have different misconceptions."""
        users: dict[str, list[str]] = {}
        for name, text in self.texts.items():
            if text.hint and text.misconception:
                users.setdefault(text.hint, []).append(name)
        return {
            hint: names for hint, names in users.items() if len({self.texts[name].misconception for name in names}) > 1
        }

    def list_checks(self, report: Report) -> None:
        """Fill in the checks from the solution's report."""
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                self.places[exercise.exercise, verdict.check] = len(self.checks)
                self.flags |= {len(self.checks)} if verdict.max_points == 0 else set()
                self.checks.append(f"{exercise.exercise}: {verdict.title}")

    def note_caught(self, program: Program, report: Report, caught: Container[Outcome]) -> None:
        """Note which checks caught a wrong program (outcome in `caught`), and which misconceptions they named."""
        self.kills[program.name] = [
            self.places[exercise.exercise, verdict.check]
            for exercise in report.exercises
            for verdict in exercise.verdicts
            if verdict.outcome in caught and verdict.max_points > 0
        ]
        if read := [verdict for verdict in report.verdicts if verdict.outcome in caught]:
            first = min(read, key=lambda verdict: verdict.specificity)
            self.texts[program.name] = Feedback(first.title, first.reason, first.hint, first.misconception)
        misconceptions = dict.fromkeys(v.misconception for v in report.verdicts if v.misconception)
        self.named[program.name] = ", ".join(misconceptions)

    def note_margins(self, program: Program, report: Report) -> None:
        """Note how much of the tolerance a right program used, or how far beyond it a wrong program was."""
        is_wrong = program.kind in (Kind.WRONG, Kind.MISCONCEPTION)
        near, better = (self.nearest_wrong, min) if is_wrong else (self.nearest_right, max)
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                if verdict.margin is None or (is_wrong and verdict.margin <= 1):
                    continue
                index, mine = self.places[exercise.exercise, verdict.check], (verdict.margin, program.label)
                near[index] = better(near.get(index, mine), mine)

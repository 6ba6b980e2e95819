"""How a class fared with each check: the measures of classical test theory, from the reports alone.

Difficulty is the share of those who met a check and passed it; discrimination is the item-rest correlation (Crocker and
Algina, Introduction to Classical and Modern Test Theory, 1986, chapter 14).
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograde.report import Outcome, Report, Verdict

Key = tuple[str, str]
"""(exercise, check)"""


@dataclass(frozen=True, eq=False)
class Item:
    """One check over the whole class."""

    exercise: str
    title: str
    max_points: float
    """none: the check only notes something"""
    outcomes: Counter[Outcome]
    difficulty: float
    """share of those who met the check and passed it"""
    discrimination: float | None
    """correlation of passing it with the points in all other checks; None if all did the same"""


@dataclass(frozen=True)
class Cluster:
    """Students who gave the very same wrong answers in an exercise."""

    exercise: str
    students: tuple[str, ...]
    example: Verdict
    """the first check that tells"""

    @property
    def explained(self) -> bool:
        return bool(self.example.hint)


def items(reports: Sequence[Report]) -> dict[Key, Item]:
    """Every check, in the order of the reports."""
    verdicts: dict[Key, list[tuple[Verdict, float]]] = defaultdict(list)
    for report in reports:
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                verdicts[exercise.exercise, verdict.check].append((verdict, report.score - verdict.points))
    return {key: _item(key[0], found) for key, found in verdicts.items()}


def hardest(found: Iterable[Item]) -> list[Item]:
    """The checks in which any student lost points, the least passed first."""
    return sorted((item for item in found if item.max_points and item.difficulty < 1), key=lambda item: item.difficulty)


def _item(exercise: str, found: list[tuple[Verdict, float]]) -> Item:
    outcomes = Counter(verdict.outcome for verdict, _ in found)
    met = len(found) - outcomes[Outcome.WAITING]
    passed = [float(verdict.outcome is Outcome.PASSED) for verdict, _ in found]
    others = [rest for _, rest in found]
    varied = len(set(passed)) > 1 and len(set(others)) > 1
    return Item(
        exercise=exercise,
        title=found[0][0].title,
        max_points=found[0][0].max_points,
        outcomes=outcomes,
        difficulty=outcomes[Outcome.PASSED] / met if met else 0.0,
        discrimination=statistics.correlation(passed, others) if varied else None,
    )


def clusters(reports: Sequence[Report]) -> list[Cluster]:
    """Students with the same wrong numbers in all that they failed of an exercise; the largest group first."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = defaultdict(list)
    examples: dict[tuple[str, tuple[tuple[str, str], ...]], Verdict] = {}
    for report in reports:
        for exercise in report.exercises:
            wrong = [verdict for verdict in exercise.verdicts if verdict.answer]
            if wrong:
                key = exercise.exercise, tuple((verdict.check, verdict.answer) for verdict in wrong)
                found[key].append(report.student)
                examples.setdefault(key, next((verdict for verdict in wrong if verdict.hint), wrong[0]))
    same = [Cluster(key[0], tuple(who), examples[key]) for key, who in found.items() if len(who) > 1]
    return sorted(same, key=lambda cluster: (cluster.explained, -len(cluster.students), cluster.exercise))

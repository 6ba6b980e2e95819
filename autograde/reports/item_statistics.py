"""Statistics of each check over a class: the measures of classical test theory, computed from the reports.

Difficulty is the share of students who passed a check, among those for whom it ran; discrimination is the item-rest
correlation (Crocker and Algina, Introduction to Classical and Modern Test Theory, 1986, chapter 14).
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
    """One check over the complete class."""

    exercise: str
    title: str
    max_points: float
    """0 if the check gives no points and only notes something"""
    outcomes: Counter[Outcome]
    difficulty: float
    """share of students who passed the check, among those for whom it ran"""
    discrimination: float | None
    """correlation of passing it with the points in all other checks; None if there is no variation"""


@dataclass(frozen=True)
class Cluster:
    """Students who gave exactly the same wrong answers in an exercise."""

    exercise: str
    students: tuple[str, ...]
    example: Verdict
    """the first verdict with a hint, else the first one"""

    @property
    def explained(self) -> bool:
        return bool(self.example.hint)


def compute_items(reports: Sequence[Report]) -> dict[Key, Item]:
    """Compute the statistics of every check, in the order of the reports."""
    verdicts: dict[Key, list[tuple[Verdict, float]]] = defaultdict(list)
    for report in reports:
        for exercise in report.exercises:
            for verdict in exercise.verdicts:
                verdicts[exercise.exercise, verdict.check].append((verdict, report.score - verdict.points))
    return {key: _compute_item(key[0], found) for key, found in verdicts.items()}


def find_hardest(found: Iterable[Item]) -> list[Item]:
    """Find the checks in which a student lost points, those with the lowest share of passes first."""
    return sorted((item for item in found if item.max_points and item.difficulty < 1), key=lambda item: item.difficulty)


def _compute_item(exercise: str, found: list[tuple[Verdict, float]]) -> Item:
    outcomes = Counter(verdict.outcome for verdict, _ in found)
    ran = len(found) - outcomes[Outcome.WAITING]
    passed = [float(verdict.outcome is Outcome.PASSED) for verdict, _ in found]
    others = [rest for _, rest in found]
    varied = len(set(passed)) > 1 and len(set(others)) > 1
    return Item(
        exercise=exercise,
        title=found[0][0].title,
        max_points=found[0][0].max_points,
        outcomes=outcomes,
        difficulty=outcomes[Outcome.PASSED] / ran if ran else 0.0,
        discrimination=statistics.correlation(passed, others) if varied else None,
    )


def find_clusters(reports: Sequence[Report]) -> list[Cluster]:
    """Find groups of students with the same wrong numbers in all failed checks of an exercise; sorted."""
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

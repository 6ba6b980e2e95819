"""What the collected hidden tests define: exercises, oracles and misconceptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autograde.testing.diagnosis import Evidence
from autograde.testing.misconceptions import MisconceptionRegistry
from autograde.testing.separation import Separation, find_separations


def find_exercise(item: Any) -> str:
    """The exercise of a pytest item, by the name of its file."""
    name: str = item.path.stem
    return name.removeprefix("test_")


def list_misconceptions(items: list[Any]) -> dict[str, str]:
    """Name of each misconception that the collected tests define -> the exercise whose checks recognise it."""
    return {
        misconception.__name__: exercise
        for exercise, oracle in list_oracles(items)
        for misconception in oracle.misconceptions
    }


def separate_misconceptions(items: list[Any], evidence: Evidence) -> dict[str, list[Separation]]:
    """By exercise, from what the solution answered: what separates each misconception from its nearest program."""
    found: dict[str, list[Separation]] = {}
    for exercise, oracle in list_oracles(items):
        found.setdefault(exercise, []).extend(find_separations(oracle, evidence))
    return found


def list_oracles(items: list[Any]) -> Iterator[tuple[str, MisconceptionRegistry]]:
    """Each oracle of the collected tests with its exercise, by whatever names or containers the module holds it."""
    exercises = {id(vars(item.module)): find_exercise(item) for item in items}
    for oracle in list(MisconceptionRegistry.instances):
        for misconception in oracle.misconceptions:
            if (exercise := exercises.get(id(getattr(misconception, "__globals__", None)))) is not None:
                yield exercise, oracle
                break

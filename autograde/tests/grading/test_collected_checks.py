"""What the collected hidden tests define is found, whatever it is called, and always in the same order."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from autograde.grading.collected_checks import list_misconceptions, list_oracles

COUNT = 20
ORACLES = f'''
from autograde.testing import Oracle

oracles = [Oracle(lambda x: x) for _ in range({COUNT})]


def register(number):
    def misconception(x):
        """A hint."""
        return number

    misconception.__name__ = f"returns_{{number}}"
    oracles[number].misconception(misconception)


for number in range({COUNT}):
    register(number)
'''


def collect(source: str, exercise: str) -> Any:
    """A pytest item of a test file with this source."""
    module = ModuleType(f"test_{exercise}")
    exec(source, vars(module))
    return SimpleNamespace(module=module, path=Path(f"test_{exercise}.py"))


def test_list_oracles_keeps_the_order_of_the_files() -> None:
    items = [collect(ORACLES, "first"), collect(ORACLES, "second")]
    found = list(list_oracles(items))
    assert [exercise for exercise, _ in found] == ["first"] * COUNT + ["second"] * COUNT
    assert [oracle for _, oracle in found] == [*items[0].module.oracles, *items[1].module.oracles]


def test_list_oracles_ignores_files_that_are_not_collected() -> None:
    other = collect(ORACLES, "other")
    assert other.module.oracles
    assert list(list_oracles([collect("", "scale")])) == []


def test_list_misconceptions_names_the_exercise_of_each() -> None:
    found = list_misconceptions([collect(ORACLES, "scale")])
    assert found == {f"returns_{number}": "scale" for number in range(COUNT)}

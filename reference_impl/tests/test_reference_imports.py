"""The reference reads from its simplest part to the whole: imports go one way, and none leaves it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1]
MODULES = {
    ".".join(("reference_impl", *path.relative_to(REFERENCE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in REFERENCE.rglob("*.py")
    if "tests" not in path.relative_to(REFERENCE).parts
}
OTHER_PARTS = {"autograde", "tools", "hidden_tests", "source", "course_config"}


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_there_is_no_circle_of_imports() -> None:
    """A package's own modules are loaded while the package is: that is no circle."""
    graph = {
        module: {name for name in imports(module) if name in MODULES} - {module, module.rpartition(".")[0]}
        for module in MODULES
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_reference_knows_neither_the_engine_nor_the_course(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & OTHER_PARTS

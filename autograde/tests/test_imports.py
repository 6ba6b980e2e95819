"""Imports go one way. The layers are listed here, lowest first; docs/architecture.md draws them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1]
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "misc"}
MODULES = {
    ".".join(("autograde", *path.relative_to(ENGINE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ENGINE.rglob("*.py")
    if "tests" not in path.relative_to(ENGINE).parts
}
# What each part may know of the engine. A part that is not named may know everything but the command line.
MAY_IMPORT = {
    "autograde.wire": {"autograde.wire"},
    "autograde.worker": {"autograde.wire", "autograde.worker"},
    "autograde.disk": set(),
    "autograde.report": {"autograde.disk"},
    "autograde.transcript": set(),
    "autograde.mismatch": {"autograde.report"},
    "autograde.steady": set(),
    "autograde.conversation": {"autograde.wire", "autograde.transcript", "autograde.steady"},
    "autograde.remote": {"autograde.wire", "autograde.conversation"},
    "autograde.student": {"autograde.wire", "autograde.conversation", "autograde.remote", "autograde.mismatch"},
    "autograde.testing": {
        "autograde.wire", "autograde.conversation", "autograde.remote", "autograde.student", "autograde.mismatch",
        "autograde.report", "autograde.testing", "autograde.transcript",
    },
    "autograde.policies": set(),
    "autograde.course": {"autograde.policies", "autograde.report"},
    "autograde.warm": set(),
    "autograde.sandbox": {"autograde.wire", "autograde.warm", "autograde.course", "autograde.report", "autograde.steady"},
}  # fmt: skip


def imports(module: str) -> Iterator[str]:
    """Modules of this project that `module` imports anywhere, also inside functions, but for type checkers' sake."""
    tree = ast.parse(MODULES[module].read_text())
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in checked:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else node.module


def part_of(module: str) -> str:
    """`autograde.testing.oracle` is of the part `autograde.testing`."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_knows_only_what_lies_below_it(module: str) -> None:
    known = {part_of(name) for name in imports(module) if name.startswith("autograde.")}
    allowed = MAY_IMPORT.get(part_of(module))
    if allowed is not None:
        assert known <= allowed
    assert part_of(module) == "autograde.cli" or "autograde.cli" not in known


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_engine_knows_no_course_and_no_tool(module: str) -> None:
    roots = {name.split(".")[0] for name in imports(module)}
    assert not roots & {"tools", "reference_impl", "hidden_tests", "source", "course_config", "simulate_class"}


def test_there_is_no_circle_of_imports() -> None:
    """Not even one that is hidden inside a function."""
    # A package's own modules are loaded while the package is: that is no circle.
    packages = {
        module: module if path.name == "__init__.py" else module.rpartition(".")[0] for module, path in MODULES.items()
    }
    graph = {
        module: {name for name in imports(module) if name in MODULES} - {module, packages[module]} for module in MODULES
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the circle


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_module_is_a_drawer_for_everything(module: str) -> None:
    assert not set(module.split(".")) & FORBIDDEN_NAMES

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
# What each part may know of the engine besides itself, lowest first; `cli` is the top, and nothing knows it.
MAY_IMPORT: dict[str, set[str]] = {
    "text": set(),
    "startup": set(),
    "exception_names": set(),
    "sockets": set(),
    "wire": {"exception_names"},
    "worker": {"exception_names", "sockets", "wire"},
    "disk": set(),
    "paths": set(),
    "policies": set(),
    "old_reports": set(),
    "report": {"disk", "old_reports"},
    "assignment": {"policies"},
    "course": {"assignment", "exception_names", "paths", "policies", "report"},
    "client": {"exception_names", "report", "text", "wire"},
    "testing": {"client", "report", "wire"},
    "notebooks": {"course", "disk", "exception_names", "report", "text"},
    "demo": {"course", "notebooks"},
    "isolation": {"course", "notebooks", "report", "sockets", "text", "wire"},
    "grading": {
        "client", "course", "disk", "exception_names", "isolation", "notebooks", "report", "startup", "testing", "text",
        "wire",
    },
    "pages": {"notebooks", "report", "text"},
    "verification": {"course", "disk", "grading", "notebooks", "pages", "report", "testing", "text"},
    "records": {"course", "disk", "exception_names", "grading", "notebooks", "pages", "report"},
    "reports": {"course", "disk", "notebooks", "pages", "records", "report", "text"},
    "lms_import": {"course", "disk", "notebooks", "records"},
    "cli": {
        "course", "demo", "disk", "grading", "isolation", "lms_import", "notebooks", "pages", "records", "report",
        "reports", "startup", "verification",
    },
}  # fmt: skip
ISOLATION_MAY_KNOW_OF_REPORTS = {"CellRun", "ConfinementLevel"}
MAKES_MARKUP = {"markupsafe", "math_core", "mistune", "nh3", "pygments"}


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
    """`autograde.testing.oracle` is of the part `testing`."""
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"autograde"}))
def test_imports_go_only_downwards(module: str) -> None:
    known = {part_of(name) for name in imports(module) if name.startswith("autograde.")}
    assert known - {part_of(module)} <= MAY_IMPORT[part_of(module)]


def test_imports_list_every_package_lowest_first() -> None:
    parts = list(MAY_IMPORT)
    assert all(parts.index(below) < parts.index(part) for part, known in MAY_IMPORT.items() for below in known)
    assert set(parts) == {part_of(module) for module in MODULES if module != "autograde"}


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.startswith("autograde.isolation.")))
def test_imports_of_isolation_include_no_verdict(module: str) -> None:
    """What holds a hostile process says how its cells ran, never what a check thinks of them."""
    known = {
        alias.name
        for node in ast.walk(ast.parse(MODULES[module].read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == "autograde.report"
        for alias in node.names
    }
    assert known <= ISOLATION_MAY_KNOW_OF_REPORTS


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_markup_is_made_only_in_pages(module: str) -> None:
    """Everything that becomes HTML is escaped in one package."""
    roots = {name.split(".")[0] for name in imports(module)}
    allowed = module.startswith("autograde.pages.")
    assert allowed or not roots & MAKES_MARKUP
    assert allowed or module == "autograde.cli.new" or "jinja2" not in roots, "cli.new renders Python with it"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_of_the_engine_include_no_course_and_no_tool(module: str) -> None:
    roots = {name.split(".")[0] for name in imports(module)}
    assert not roots & {"tools", "reference_impl", "hidden_tests", "source", "course_config"}


def test_imports_have_no_cycle() -> None:
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
def test_imports_no_module_is_called_utils(module: str) -> None:
    assert not set(module.split(".")) & FORBIDDEN_NAMES

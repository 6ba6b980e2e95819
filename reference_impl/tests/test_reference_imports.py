"""The packages of the reference are layers: each imports lower ones only, and none leaves the reference."""

from __future__ import annotations

import ast
import re
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
LAYERS = (
    "tokenizer",
    "model",
    "training",
    "finetuning",
    "alignment",
    "adaptation",
    "serving",
    "pipeline",
    "story",
    "__main__",
)
"""lowest first; the order in which to read them"""
OTHER_PARTS = {"autograde", "tools", "hidden_tests", "source", "course_config"}


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_reference_imports_have_no_cycle() -> None:
    """Imports between a package and its own modules are not counted: they run while the package is loading."""
    graph = {
        module: {name for name in imports(module) if name in MODULES} - {module, module.rpartition(".")[0]}
        for module in MODULES
    }
    list(TopologicalSorter(graph).static_order())  # CycleError names the cycle


@pytest.mark.parametrize("module", sorted(MODULES.keys() - {"reference_impl"}))
def test_reference_module_imports_no_higher_layer(module: str) -> None:
    """A module beside the packages, as `course new` writes it, may import all of them."""
    name = module.split(".")[1]
    layer = LAYERS.index(name) if name in LAYERS else len(LAYERS)
    imported = {name.split(".")[1] for name in imports(module) if name.startswith("reference_impl.")}
    assert not imported & set(LAYERS[layer + 1 :])


def test_reading_order_lists_every_module_once() -> None:
    text = (REFERENCE / "README.md").read_text()
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith("|")][2:]
    assert [package.strip(" `") for package, _ in rows if package.strip()] == list(LAYERS[:-2])
    listed = [name for _, modules in rows for name in re.findall(r"`(\w+)`", modules)]
    present = [module.split(".")[2] for module in MODULES if module.count(".") == 2]
    assert sorted(listed) == sorted(present)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_reference_module_imports_no_other_part(module: str) -> None:
    assert not {name.split(".")[0] for name in imports(module)} & OTHER_PARTS

"""A test that needs what the machine lacks is skipped, with the reason; it neither fails nor passes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autograde.tests import machine
from autograde.tests.poorer_machine import MACHINES

ROOT = Path(__file__).parents[2]
MAY_SKIP = {"machine.py", "needed_packages.py", "test_requirements.py", Path(__file__).name}
"""the abilities of a machine, the packages that are compared with, and the pins of extras"""


def test_machine_skip_without_gives_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(machine.MACHINE, "wings", (lambda: False, "nothing flies here"))
    monkeypatch.setitem(machine.MACHINE, "feet", (lambda: True, "nothing walks here"))
    machine.skip_without("feet")
    with pytest.raises(pytest.skip.Exception, match="nothing flies here"):
        machine.skip_without("feet", "wings")


@pytest.mark.parametrize(("part", "ways"), [("autograde", ("skipif", "pytest.skip(")), ("reference_impl", ("skipif",))])
def test_machine_is_the_only_module_that_skips(part: str, ways: tuple[str, ...]) -> None:
    texts = {path.name: path.read_text() for path in (ROOT / part / "tests").rglob("*.py")}
    assert len(texts) > 20
    assert {name for name, text in texts.items() if any(way in text for way in ways)} <= MAY_SKIP


@pytest.mark.long
@pytest.mark.machine("tree", "landlock")
@pytest.mark.parametrize("lacks", ["", "namespaces", "landlock", "landlock,namespaces"])
def test_machine_skips_what_a_poorer_machine_lacks(lacks: str, tmp_path: Path) -> None:
    """The tests of the confinement, on a kernel that refuses these."""
    assert set(lacks.split(",")) - {""} <= MACHINES.keys()
    files = [f"autograde/tests/{name}.py" for name in ("isolation/test_confinement", "test_cuda")]
    pytest_words = [
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-rs",
        "-p",
        "no:cacheprovider",
        f"--basetemp={tmp_path / 'there'}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "autograde.tests.poorer_machine", lacks, sys.executable, *pytest_words, *files],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    passed = done.stdout.splitlines()[-1]
    assert " passed" in passed
    reasons = {"namespaces": "file tree of its own", "landlock": "no Landlock"}
    for ability in filter(None, lacks.split(",")):
        assert reasons[ability] in done.stdout

"""What is pinned installs on every Python that the project claims."""

from __future__ import annotations

import importlib.metadata
import sysconfig
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[2]
SITE = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().split()]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def lowest_python() -> Version:
    """The first release that `requires-python` admits: 3.11.0 for >=3.11."""
    (minimum,) = (part.version for part in SpecifierSet(PROJECT["requires-python"]) if part.operator == ">=")
    return Version(".".join([*minimum.split("."), "0"][:3]))


def test_requirements_lowest_python_is_a_first_release() -> None:
    assert lowest_python().micro == 0
    assert lowest_python() in SpecifierSet(PROJECT["requires-python"])


@pytest.mark.parametrize("pin", PINS, ids=str)
def test_requirements_pin_admits_the_lowest_python(pin: Requirement) -> None:
    """Its metadata, as installed here; a pin of an extra that is not installed is skipped."""
    # Only where packages are installed: setuptools brings copies of some along, in a folder of its own.
    installed = next(iter(importlib.metadata.distributions(name=pin.name, path=SITE)), None)
    if installed is None:
        pytest.skip(f"{pin.name} is not installed; `make .venv/everything` installs all that is pinned")
    assert installed.version in pin.specifier, "another version than the pinned one is installed"
    admitted = SpecifierSet(installed.metadata.get("Requires-Python") or "")
    assert lowest_python() in admitted, f"{pin} needs Python {admitted}"

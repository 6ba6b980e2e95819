"""Reports which requirements this machine meets and which are missing."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

import torch

from autograde.cli.console import describe_confinement
from autograde.course import Course
from autograde.isolation.confinement_probes import (
    ConfinementError,
    list_absent_layers,
    probe_confinement,
    sees_processes,
)
from autograde.isolation.zygote_client import WardenLostError, Zygote, ZygoteError
from autograde.records.database import has_gradebook

PACKAGES = ("nbgrader", "torch", "jupytext", "hypothesis", "pytest", "numpy", "notebook", "tiktoken")
PROCESSES_MISSING = "MISSING: /proc/<pid>/task/<tid>/children, to end submissions"


def examine(course: Course) -> dict[str, str]:
    """Return what was examined -> its state. The state of a missing requirement begins with MISSING."""
    found = {"course": f"{course.name}, {len(course.slugs)} assignments, {course.root}"}
    found["python"] = _examine_python((3, 11))
    found |= {package: _find_version(package) for package in PACKAGES}
    found["CUDA"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    found["process tree"] = "visible" if sees_processes() else PROCESSES_MISSING
    found["gradebook"] = "exists" if has_gradebook(course) else "none yet; `course release` makes it"
    return found | _examine_confinement(course)


def _examine_confinement(course: Course) -> dict[str, str]:
    layers: dict[str, Any] = {}
    try:
        with Zygote() as zygote:
            zygote.wait_until_ready()
            layers = zygote.layers
            level = describe_confinement(probe_confinement(zygote, course))
    except (ConfinementError, WardenLostError, ZygoteError) as error:
        level = f"MISSING: {error}"
    absent = {f"without {name}": f"it would prevent {stops}" for name, stops in list_absent_layers(layers).items()}
    return {"confinement": level, **absent}


def _examine_python(wanted: tuple[int, int]) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    return (
        version
        if sys.version_info >= wanted
        else f"MISSING: Python {wanted[0]}.{wanted[1]} or later; this is {version}"
    )


def _find_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "MISSING: run `make setup`"

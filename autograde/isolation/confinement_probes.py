"""Verifies the confinement of submissions on this machine by probes, before each run.

The probes run in a real worker and try, as a submission would, to reach what the detected layers deny. Only this module
defines what each layer stops and which layers make which level; docs/threat-model.md explains it.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from autograde.course import Confinement, Course, CourseError, Limits
from autograde.isolation.running_submission import RunningSubmission
from autograde.isolation.zygote_client import ReadyZygote, Zygote
from autograde.report import ConfinementLevel


class Layer(msgspec.Struct, frozen=True):
    """One part of the confinement, besides the process boundary and the limits, which are always in place."""

    name: str
    stops: str


LAYERS = {
    "landlock": Layer("Landlock", "reading and changing files that are not its own"),
    "tree": Layer("a file tree of its own", "reading files that are not its own, or asking whether they exist"),
    "seccomp": Layer("filtered system calls", "using the network, signalling other processes, starting programs"),
    "permits": Layer("permits for processes", "starting processes, such as a fork bomb or a daemon"),
    "namespaces": Layer("a network of its own", "using the network, in addition to the filters"),
}
"""by their names in `autograde.worker.confinement.Layers`"""
LEVELS = {"B": ("landlock", "seccomp", "permits"), "C": ("tree", "seccomp", "permits")}
"""The layers of each level at which untrusted submissions may run; the first complete one counts.

The letters are those of docs/threat-model.md; G is anything less than C.
"""

OWN = "write to its own folder"
CANARY = ".confinement-canary"


class ConfinementError(CourseError):
    """Submissions cannot be confined here as the course demands, or a detected layer does not hold."""


def find_level(layers: Mapping[str, Any]) -> str:
    """The letter of the level that these layers make."""
    return next((letter for letter, needed in LEVELS.items() if all(map(layers.get, needed))), "G")


def sees_processes() -> bool:
    """Does the kernel list a process's children? A warden needs that to find what it must kill."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def list_absent_layers(layers: Mapping[str, Any]) -> dict[str, str]:
    """Every layer that is not in place, and what it would have stopped."""
    return {layer.name: layer.stops for key, layer in LAYERS.items() if not layers.get(key)}


def find_missing_layers(layers: Mapping[str, Any]) -> list[str]:
    """What these layers lack for level B; empty at a level at which untrusted submissions may run."""
    if find_level(layers) in LEVELS:
        return []
    needed = [LAYERS[key] for key in LEVELS["B"] if not layers.get(key)]
    return [f"{layer.name} (against {layer.stops})" for layer in needed]


def describe_confinement_level(layers: Mapping[str, Any]) -> ConfinementLevel:
    """The level and its layers, as reports record them."""
    letter = find_level(layers)
    return ConfinementLevel(
        level=letter, confined=letter in LEVELS, layers=[layer for layer in LAYERS if layers.get(layer)]
    )


def probe_confinement(zygote: Zygote | ReadyZygote, course: Course, *, untrusted: bool = True) -> ConfinementLevel:
    """Verify the confinement by probes in a worker. ConfinementError if a layer does not hold or the level is weak.

    `untrusted`: the programs to run are submissions, not the course's own programs.
    """
    if not sees_processes():
        raise ConfinementError(
            "the processes of a submission cannot be listed: there is no /proc/<pid>/task/<tid>/children. "
            "Grade on Linux with /proc mounted and CONFIG_PROC_CHILDREN in the kernel"
        )
    lacks = find_missing_layers(zygote.layers)
    if lacks and untrusted and course.confinement is Confinement.REQUIRED:
        raise ConfinementError(
            f"submissions would run at level {find_level(zygote.layers)}: without {' and without '.join(lacks)}. "
            "Grade on Linux 5.13 or later with Landlock, or on 5.5 or later where user namespaces are allowed, "
            "or in a container with nothing else in it, and accept the weaker level: "
            f"confinement=Confinement.WEAKER_ACCEPTED in {course.root / 'course_config.py'}"
        )
    breaches = find_breaches(zygote, course.root)
    if breaches:
        raise ConfinementError(
            f"submissions are not confined by the detected layers, so nothing is graded: {'; '.join(breaches)}"
        )
    return describe_confinement_level(zygote.layers)


def find_breaches(zygote: Zygote | ReadyZygote, root: Path) -> list[str]:
    """Run the probes: which were not stopped although a layer should, and whether the allowed one failed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probes = _list_probes(root, listener.getsockname()[1])
        cells = [(OWN, "open('own', 'w').write('x')"), *((name, source) for name, (_, source) in probes.items())]
        with RunningSubmission(zygote.control, cells, limits=Limits(), checks=1) as ran:
            outcome = {run.cell: run.error for run in ran.cells}
    (root / CANARY).unlink(missing_ok=True)
    announced = {name for name, (layers, _) in probes.items() if any(map(zygote.layers.get, layers.split()))}
    found = [f"a submission can {name}" for name in probes if name in announced and not outcome.get(name)]
    return found if outcome.get(OWN) == "" else [*found, f"a submission cannot {OWN} ({outcome.get(OWN)})"]


def _list_probes(root: Path, port: int) -> dict[str, tuple[str, str]]:
    """Name of a probe -> (the layers of which any one stops it, its source)."""
    config, grader = str(root / "course_config.py"), os.getpid()
    return {
        "read the course": ("landlock tree", f"open({config!r}).read()"),
        "list the course's folder": ("landlock tree", f"import os\nos.listdir({str(root)!r})"),
        "write into the course's folder": ("landlock tree", f"open({str(root / CANARY)!r}, 'w')"),
        "look at other processes": ("landlock tree", f"open('/proc/{grader}/environ', 'rb').read()"),
        "see that the course exists": ("tree", f"import os\nos.stat({config!r})"),
        # Landlock and namespaces also stop some uses of a socket; only the filters stop all of them.
        "open a socket": ("seccomp", "import socket\nsocket.socket().close()"),
        "use the network": ("seccomp", f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"),
        "signal the grader": ("seccomp", f"import os\nos.kill({grader}, 0)"),
        "start a process": ("permits", "import os\nif os.fork() == 0:\n    os._exit(0)"),
        # Last: where it succeeds, it replaces the notebook's process.
        "start a program": ("seccomp", "import os\nos.execv('/bin/true', ['true'])"),
    }

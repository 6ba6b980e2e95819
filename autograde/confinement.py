"""What confines submissions on this machine: announced as a level, proven before each run, never silently weaker.

The proof is a real worker that tries, as a submission would, to reach what the announced layers deny. Levels are those
of docs/threat-model.md: B is Landlock, filtered system calls and permits for processes; G is anything less.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograde.course import Confinement, Course, CourseError, Limits
from autograde.sandbox import RunningSubmission
from autograde.warm import WarmProcess

REQUIRED = {
    "landlock": "Landlock (files)",
    "seccomp": "filtered system calls (network, signals, programs)",
    "permits": "permits for processes",
}


OWN = "write to its own folder"
CANARY = ".confinement-canary"


class ConfinementError(CourseError):
    """Submissions cannot be confined here as the course demands, or something announced does not hold."""


def missing(layers: Mapping[str, Any]) -> list[str]:
    """What level B needs and this machine lacks."""
    return [name for layer, name in REQUIRED.items() if not layers.get(layer)]


def describe(layers: Mapping[str, Any]) -> str:
    """The level and its layers, as reports and `course doctor` say it."""
    held = [f"Landlock {layers['landlock']}"] if layers.get("landlock") else []
    held += ["filtered system calls"] if layers.get("seccomp") else []
    held += ["permits for processes"] if layers.get("permits") else []
    held += ["no network of the machine's"] if layers.get("namespaces") else []
    lacking = missing(layers)
    level = "G, NOT confined" if lacking else "B"
    without = f"; without {' and '.join(lacking)}" if lacking else ""
    return f"level {level}: process border, limits, {', '.join(held) or 'nothing else'}{without}"


def proven(warm: WarmProcess, course: Course, *, strangers: bool = True) -> str:
    """`describe`, once probes in a worker have shown it to be so. ConfinementError if it is not, or is too weak.

    `strangers`: what will run was not written by the course's own people.
    """
    lacking = missing(warm.layers)
    if lacking and strangers and course.confinement is Confinement.REQUIRED:
        raise ConfinementError(
            f"submissions would run without {' and without '.join(lacking)}, which this machine does not offer. "
            "Grade on Linux 5.13 or later with Landlock, or in a container that holds nothing else and accept it: "
            f"confinement=Confinement.WEAKER_ACCEPTED in {course.root / 'course_config.py'}"
        )
    through = got_through(warm, course.root)
    if through:
        raise ConfinementError(f"submissions are not confined as announced, so nothing is graded: {'; '.join(through)}")
    return describe(warm.layers)


def got_through(warm: WarmProcess, root: Path) -> list[str]:
    """Which of the probes that the layers should stop were not stopped, and which that should run did not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        probes = _probes(root, listener.getsockname()[1])
        cells = [(OWN, "open('own', 'w').write('x')"), *((name, source) for name, (_, source) in probes.items())]
        with RunningSubmission(warm.control, cells, limits=Limits(), checks=1) as ran:
            outcome = {run.cell: run.error for run in ran.cells}
    (root / CANARY).unlink(missing_ok=True)
    announced = {name for name, (layer, _) in probes.items() if warm.layers.get(layer)}
    found = [f"a submission can {name}" for name in probes if name in announced and not outcome.get(name)]
    return found if outcome.get(OWN) == "" else [*found, f"a submission cannot {OWN} ({outcome.get(OWN)})"]


def _probes(root: Path, port: int) -> dict[str, tuple[str, str]]:
    """What is tried -> (the layer that stops it, how it is tried)."""
    config, grader = str(root / "course_config.py"), os.getpid()
    return {
        "read the course": ("landlock", f"open({config!r}).read()"),
        "list the course's folder": ("landlock", f"import os\nos.listdir({str(root)!r})"),
        "write beside the course": ("landlock", f"open({str(root / CANARY)!r}, 'w')"),
        "look at other processes": ("landlock", f"open('/proc/{grader}/environ', 'rb').read()"),
        # Landlock and namespaces would stop some uses of a socket as well; none at all is what the filters promise.
        "open a socket": ("seccomp", "import socket\nsocket.socket().close()"),
        "use the network": ("seccomp", f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)"),
        "signal the grader": ("seccomp", f"import os\nos.kill({grader}, 0)"),
        "start a process": ("permits", "import os\nif os.fork() == 0:\n    os._exit(0)"),
        # Last: where it succeeds, nothing of the notebook is left to run.
        "start a program": ("seccomp", "import os\nos.execv('/bin/true', ['true'])"),
    }

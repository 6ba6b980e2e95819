"""Starts the zygote: torch is imported there once, and a worker is forked from it for every submission."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograde.sockets import message_pair

START_S = 120.0
END_S = 15.0
WORKER_ENTRY = Path(__file__).parents[1] / "worker" / "__main__.py"


class ZygoteError(Exception):
    """The zygote did not start, died, or cannot confine anything: a fault of the engine, for every submission."""


class WardenLostError(Exception):
    """The warden of one submission failed: a fault of the engine; the next submission has its own warden."""


@dataclass(frozen=True)
class ReadyZygote:
    """What another process of the grader needs to use a zygote that is ready."""

    control: socket.socket
    layers: dict[str, Any]


class Zygote:
    """A process with torch imported that forks a worker per submission. Close it, or use it as a context."""

    def __init__(
        self,
        modules: tuple[str, ...] = (),
        sites: tuple[str, ...] = (),
        without: tuple[str, ...] = (),
    ) -> None:
        """`modules` are imported once, before any fork. `sites` is where submissions find their packages.

        `without` names layers of the confinement that are not applied, for tests and benchmarks.
        """
        if sys.platform != "linux":
            raise ZygoteError(f"submissions run only on Linux, not on {sys.platform}")
        self.control, theirs = message_pair()
        words = [str(theirs.fileno()), ",".join(modules), ",".join(without), *(sites or list_site_folders())]
        command = [sys.executable, "-I", "-S", str(WORKER_ENTRY), *words]
        self.home = tempfile.TemporaryDirectory(prefix="course-zygote-")
        self.process = subprocess.Popen(
            command,
            env=_make_environment(self.home.name),
            cwd=self.home.name,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the grader, which then ends the zygote
        )
        theirs.close()
        self.ready = False
        self.layers: dict[str, Any] = {}
        """what confines a submission here, as the zygote found it"""

    def wait_until_ready(self) -> None:
        if self.ready:
            return
        self.control.settimeout(START_S)
        try:
            answer = self.control.recv(1 << 10)
        except TimeoutError:
            raise ZygoteError(f"the zygote was not ready within {START_S:g} s") from None
        if not answer:
            raise ZygoteError(f"the zygote ended while starting (status {self.process.wait()})")
        self.layers = json.loads(answer)
        self.ready = True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.control.send(b"", socket.MSG_DONTWAIT)
        self.control.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.home.cleanup()

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def list_site_folders() -> tuple[str, ...]:
    """The folders of this environment's packages."""
    return tuple(dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))))


def _make_environment(home: str) -> dict[str, str]:
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # Without the NVML check torch would start CUDA in the zygote, and a fork cannot use CUDA after that.
    cuda = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "MPLCONFIGDIR": home}
    places = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": home, "TMPDIR": home}
    return {**places, **single, **cuda, **backend}

"""Reports of an assignment's programs, kept so that only what a change can affect is graded again.

A report is found by a digest of everything that it depends on: the program, the options, the checks that run with what
they import, the course's policies, the engine, and this machine's processor and versions. The files are as secret as
the checks.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from autograde.course import Work
from autograde.disk import write_atomically
from autograde.grading.check_cache import describe_environment
from autograde.grading.digests import hash_checks, hash_engine, hash_parts, hash_policies
from autograde.notebooks.extract import Submission
from autograde.report import Outcome, Report, Verdict
from autograde.testing.separation import Separation
from autograde.verification.orders import ProgramOrder
from autograde.verification.programs import SOLUTION

MOST_UNUSED = 2000
"""reports of other versions and options that are kept, so that going back costs nothing"""


class Definitions(msgspec.Struct, frozen=True):
    """What the test files define besides checks."""

    misconceptions: dict[str, str]
    """name -> the exercise whose checks recognise it"""
    separations: dict[str, list[Separation]]
    """exercise -> what tells its misconceptions from the nearest program"""


class ReportCache:
    """The reports of earlier verifications of one assignment."""

    def __init__(self, work: Work, device: str, reads: bool = True) -> None:
        """Without `reads` it is only written, so that everything is graded again."""
        self.work, self.folder, self.reads = work, work.paths.verified, reads
        self.environment = [hash_engine(), hash_policies(work), device, describe_environment()]
        self.checks: dict[tuple[str, ...], str] = {}
        """exercises, or none for all -> digest of their tests, read once: nearly every order asks for the same few"""
        self.used: set[Path] = set()

    def load(self, order: ProgramOrder) -> Report | None:
        """The report of an equal order, or None."""
        report: Report | None = self._read(self._locate(order), Report)
        return report

    def store(self, order: ProgramOrder, report: Report) -> None:
        if not report.withheld and all(map(_is_reproducible, report.verdicts)):
            self._write(self._locate(order), report)

    def load_definitions(self, solution: Submission) -> Definitions | None:
        path = self._locate(ProgramOrder(SOLUTION, solution), "definitions")
        definitions: Definitions | None = self._read(path, Definitions)
        return definitions

    def store_definitions(self, solution: Submission, definitions: Definitions) -> None:
        self._write(self._locate(ProgramOrder(SOLUTION, solution), "definitions"), definitions)

    def remove_old(self) -> None:
        """Delete the reports that were neither read nor written last, beyond a number that a term's edits need."""
        files = sorted(set(self.folder.glob("*")) - self.used, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[MOST_UNUSED:]:
            path.unlink(missing_ok=True)

    def _locate(self, order: ProgramOrder, kind: str = "report") -> Path:
        submission, options = order.submission, order.options
        program = [submission.fingerprint.file, submission.fingerprint.release, repr(submission.cells)]
        exercises = tuple(sorted(options.exercises))
        parts = [kind, submission.student, *program, repr(asdict(options) | {"exercises": exercises})]
        return self.folder / hash_parts([*parts, self._hash_checks(exercises), *self.environment])

    def _hash_checks(self, exercises: tuple[str, ...]) -> str:
        """Digest of the tests that an order runs: those of some exercises, or without any named, all."""
        if exercises not in self.checks:
            self.checks[exercises] = hash_checks(self.work, [f"test_{exercise}.py" for exercise in exercises])
        return self.checks[exercises]

    def _read(self, path: Path, kind: type[Any]) -> Any:
        self.used.add(path)
        if not self.reads:
            return None
        try:
            return msgspec.msgpack.decode(path.read_bytes(), type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def _write(self, path: Path, value: Report | Definitions) -> None:
        with contextlib.suppress(OSError):  # the next verification takes longer, and finds the same
            write_atomically(path, msgspec.msgpack.encode(value))


def _is_reproducible(verdict: Verdict) -> bool:
    """False for what a slow machine or a worker that the system killed may have caused."""
    if verdict.outcome is Outcome.CRASHED:
        return bool(verdict.traceback)
    return verdict.outcome not in (Outcome.TIMED_OUT, Outcome.BROKEN)

"""Grades hostile submissions, and honest ones in between, and compares the course before and after."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from autograde.course import Confinement, Course, Limits
from autograde.grading import pool
from autograde.isolation.zygote_client import Zygote
from autograde.notebooks.load import load_submission
from autograde.notebooks.release import assemble, release
from autograde.report import ConfinementLevel, Report
from autograde.tests.checked_course import hidden_tests, make_checked_course
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG

HOSTILE = Path(__file__).parent / "hostile"
SECRET = "SECRET-7d1f"
HONEST = "def scale(x, factor):\n    return x * factor"
LIMITS = Limits(
    check_cpu_s=1, check_wall_s=2, cell_wall_s=1, notebook_wall_s=4, memory_bytes=600 << 20, file_bytes=8 << 20,
    scratch_bytes=32 << 20, output_bytes=1 << 16,
)  # fmt: skip
HONEST_AFTER = 10
"""an honest submission follows every so many hostile ones"""


def read_programs() -> dict[str, str]:
    """group-name -> source of the answer cell"""
    found: dict[str, str] = {}
    for path in sorted(HOSTILE.glob("*.py")):
        parts = re.split(r"^# %% (\w+)\n", path.read_text(), flags=re.M)
        found |= {f"{path.stem}-{name}": source for name, source in zip(parts[1::2], parts[2::2], strict=True)}
    return found


PROGRAMS = read_programs()


@dataclass
class Aftermath:
    """What is left once everybody has been graded."""

    confinement: ConfinementLevel
    reports: dict[str, Report]
    before: dict[str, str]
    after: dict[str, str]
    visitors: int
    left_running: list[int]


def make_hostile_course(root: Path) -> Course:
    """A course with a secret in each of its files, and a graded submission."""
    tests = hidden_tests(more=f"\n\nSECRET = {SECRET!r}\n")
    course = make_checked_course(root, tests=tests)
    course = write_config(replace(course, limits=LIMITS, confinement=Confinement.WEAKER_ACCEPTED))
    release([course.open(SLUG)])
    with closing(sqlite3.connect(course.root / "gradebook.db")) as gradebook, gradebook:
        gradebook.execute("create table secrets (value text)")
        gradebook.execute("insert into secrets values (?)", (SECRET,))
    folder = course.open(SLUG).paths.submitted("honest")
    folder.mkdir(parents=True)
    (folder / "answer.py").write_text(f"{HONEST}  # {SECRET}")
    (folder / f"{SLUG}.ipynb").write_text(SECRET)
    (course.root / "reports").mkdir()
    (course.root / ".git").mkdir()
    (course.root / ".git" / "config").write_text(SECRET)
    with pool.GraderPool(course.open(SLUG)) as graders:  # the check cache is there to be read and changed, too
        assert [report.score for report in graders.grade([load_submission(course.open(SLUG))])] == [4.0]
    assert len(list(course.open(SLUG).paths.check_cache.iterdir())) == 1
    return course


def make_notebook(course: Course, answer: str) -> bytes:
    return json.dumps(assemble(course.open(SLUG), {"scale": answer})).encode()


def grade_attacks(
    course: Course, attacks: Mapping[str, str], without: tuple[str, ...], folder: Path, patch: pytest.MonkeyPatch
) -> Aftermath:
    """Grade the attacks, and an honest submission now and then, in workers `without` these layers."""
    patch.setenv("GRADER_SECRET", SECRET)
    patch.setattr(pool, "Zygote", partial(Zygote, without=without))
    before = digest_files(course.root)
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        submissions = []
        for index, (name, source) in enumerate(attacks.items()):
            port = str(canary.getsockname()[1])
            wanted = [(name, source.replace("COURSE", str(course.root)).replace("PORT", port))]
            wanted += [(f"honest-{index}", HONEST)] if index % HONEST_AFTER == HONEST_AFTER - 1 else []
            for student, answer in wanted:
                file = folder / f"{student}.ipynb"
                file.write_bytes(make_notebook(course, answer))
                submissions.append(load_submission(course.open(SLUG), str(file)))
        with pool.GraderPool(course.open(SLUG), jobs=2) as graders:
            reports = {report.student: report for report in graders.grade(submissions)}
            left_running = wait_for_descendants(10, graders.zygote.process.pid)
            confinement = graders.confinement
        return Aftermath(confinement, reports, before, digest_files(course.root), count_visitors(canary), left_running)


def digest_files(root: Path) -> dict[str, str]:
    """Digest and mode of every file of the course."""
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {
        str(path.relative_to(root)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode:o}"
        for path in files
        if path.parent.name != "build"
    }


def count_visitors(canary: socket.socket) -> int:
    try:
        canary.accept()
    except BlockingIOError:
        return 0
    return 1


def wait_for_descendants(seconds: float, pid: int) -> list[int]:
    """What still runs below a process, given time to end."""
    end = time.monotonic() + seconds
    while (left := find_descendants(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def find_descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *find_descendants(child)]
    return found

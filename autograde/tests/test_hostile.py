"""Hostile submissions, each graded by the real pool: no point gained, nothing seen or changed, and life goes on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from autograde.course import Course, load_course
from autograde.grading.pool import GraderPool
from autograde.grading.versions import submission_for
from autograde.notebooks.release import assemble, release
from autograde.report import Report
from autograde.tests.checked_course import CONFIG, make_checked_course
from autograde.tests.tiny_course import SLUG

HOSTILE = Path(__file__).parent / "hostile"
SECRET = "SECRET-7d1f"
HONEST = "def scale(x, factor):\n    return x * factor"


def programs() -> dict[str, str]:
    """group-name -> source of the answer cell"""
    found: dict[str, str] = {}
    for path in sorted(HOSTILE.glob("*.py")):
        parts = re.split(r"^# %% (\w+)\n", path.read_text(), flags=re.M)
        found |= {f"{path.stem}-{name}": source for name, source in zip(parts[1::2], parts[2::2], strict=True)}
    return found


PROGRAMS = programs()
pytestmark = pytest.mark.long
HONEST_AFTER = 10
"""an honest submission follows every so many hostile ones"""


@dataclass
class Aftermath:
    """What is left once everybody has been graded."""

    reports: dict[str, Report]
    before: dict[str, str]
    after: dict[str, str]
    visitors: int
    left_running: list[int]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = make_checked_course(tmp_path_factory.mktemp("hostile"))
    limits = "limits=Limits(check_cpu_s=1, check_wall_s=2, cell_wall_s=1, notebook_wall_s=4, memory_bytes=600 << 20,"
    limits += " file_bytes=8 << 20, scratch_bytes=32 << 20, output_bytes=1 << 16), late="
    config = CONFIG.replace("import Assignment", "import Limits, Assignment").replace("late=", limits)
    (made.root / "course_config.py").write_text(config)
    test = made.paths(SLUG).hidden_tests / "test_scale.py"
    test.write_text(test.read_text() + f"\n\nSECRET = {SECRET!r}\n")
    release(made, [SLUG])
    with sqlite3.connect(made.root / "gradebook.db") as gradebook:
        gradebook.execute("create table secrets (value text)")
        gradebook.execute("insert into secrets values (?)", (SECRET,))
    folder = made.paths(SLUG).submitted("honest")
    folder.mkdir(parents=True)
    (folder / "answer.py").write_text(f"{HONEST}  # {SECRET}")
    (folder / f"{SLUG}.ipynb").write_text(SECRET)
    (made.root / "reports").mkdir()
    (made.root / ".git").mkdir()
    (made.root / ".git" / "config").write_text(SECRET)
    return load_course(made.root)


@pytest.fixture(scope="module")
def aftermath(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    os.environ["GRADER_SECRET"] = SECRET
    before = contents(course.root)
    handed_in = tmp_path_factory.mktemp("handed-in")
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        submissions = []
        for index, (name, source) in enumerate(PROGRAMS.items()):
            port = str(canary.getsockname()[1])
            wanted = [(name, source.replace("COURSE", str(course.root)).replace("PORT", port))]
            wanted += [(f"honest-{index}", HONEST)] if index % HONEST_AFTER == HONEST_AFTER - 1 else []
            for student, answer in wanted:
                file = handed_in / f"{student}.ipynb"
                file.write_text(json.dumps(assemble(course, SLUG, {"scale": answer})))
                submissions.append(submission_for(course, SLUG, str(file)))
        with GraderPool(course, SLUG, jobs=2) as pool:
            reports = {report.student: report for report in pool.grade(submissions)}
            left_running = left_after(10, pool.warm.process.pid)
        yield Aftermath(reports, before, contents(course.root), visitors(canary), left_running)


def contents(root: Path) -> dict[str, str]:
    """Digest and mode of every file of the course."""
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {
        str(path.relative_to(root)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode:o}"
        for path in files
        if path.parent.name != "build"
    }


def visitors(canary: socket.socket) -> int:
    try:
        canary.accept()
    except BlockingIOError:
        return 0
    return 1


def left_after(seconds: float, pid: int) -> list[int]:
    """What still runs below a process, given time to end."""
    end = time.monotonic() + seconds
    while (left := descendants(pid)) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_point_is_gained_and_no_secret_seen(aftermath: Aftermath, name: str) -> None:
    report = aftermath.reports[name]
    text = msgspec.json.encode(report).decode()
    assert not report.withheld, text
    assert report.score == 0
    assert SECRET not in text
    printed = "".join(str(output.get("text", "")) for cell in report.cells for output in cell.outputs)
    assert "SEEN" not in printed
    assert len(text) < 1 << 18


def test_every_honest_submission_in_between_has_full_marks(aftermath: Aftermath) -> None:
    honest = {name: report.score for name, report in aftermath.reports.items() if name.startswith("honest")}
    assert len(honest) == len(PROGRAMS) // HONEST_AFTER
    assert set(honest.values()) == {4.0}


def test_nothing_of_the_course_has_changed(aftermath: Aftermath) -> None:
    assert aftermath.after == aftermath.before


def test_nobody_called_and_nothing_runs_on(aftermath: Aftermath) -> None:
    assert (aftermath.visitors, aftermath.left_running) == (0, [])


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(PROGRAMS) >= 80

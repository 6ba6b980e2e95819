"""Hostile submissions, each graded by the real pool: no point gained, nothing seen or changed, and life goes on.

All of them run where nothing is missing. Where a layer is, one of each group runs of which the level still promises
that it is stopped; `HOSTILE_WITHOUT=landlock pytest -m long autograde/tests/test_hostile.py` runs all without that layer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from autograde.course import Confinement, Course, Limits
from autograde.grading import pool
from autograde.isolation.zygote_client import Zygote
from autograde.notebooks.load import submission_for
from autograde.notebooks.release import assemble, release
from autograde.records.gradebook import record, write_feedback
from autograde.report import ConfinementLevel, Report, write_report
from autograde.tests.checked_course import hidden_tests, make_checked_course
from autograde.tests.config_file import write_config
from autograde.tests.machine import skip_without
from autograde.tests.pages.test_feedback import dangers
from autograde.tests.tiny_course import SLUG, submit

HOSTILE = Path(__file__).parent / "hostile"
SECRET = "SECRET-7d1f"
HONEST = "def scale(x, factor):\n    return x * factor"
LIMITS = Limits(
    check_cpu_s=1, check_wall_s=2, cell_wall_s=1, notebook_wall_s=4, memory_bytes=600 << 20, file_bytes=8 << 20,
    scratch_bytes=32 << 20, output_bytes=1 << 16,
)  # fmt: skip


def programs() -> dict[str, str]:
    """group-name -> source of the answer cell"""
    found: dict[str, str] = {}
    for path in sorted(HOSTILE.glob("*.py")):
        parts = re.split(r"^# %% (\w+)\n", path.read_text(), flags=re.M)
        found |= {f"{path.stem}-{name}": source for name, source in zip(parts[1::2], parts[2::2], strict=True)}
    return found


PROGRAMS = programs()
WITHOUT = tuple(filter(None, os.environ.get("HOSTILE_WITHOUT", "").split(",")))
pytestmark = pytest.mark.long
HONEST_AFTER = 10
"""an honest submission follows every so many hostile ones"""

ANYWHERE = (
    "forging-verdict_on_every_pipe", "forging-exit_in_the_middle", "objects-equal_to_everything", "objects-reduce",
    "objects-keys_that_collide", "programs-segmentation_fault", "programs-stack_overflow", "resources-loop",
    "resources-output_by_print", "resources-memory_by_lists", "tampering-methods_of_tensors",
    "tampering-name_that_is_no_text",
)  # fmt: skip
"""what the process border, its guard and the limits stop without any help"""
BY_FILTERS = (
    "network-tcp", "network-unix", "programs-subprocess", "resources-forks", "resources-daemon",
    "tampering-grader_killed", "tampering-leases_on_libraries", "reading-ptrace", "reading-io_uring",
    "resources-memory_that_counts_as_a_stack", "programs-shell_escape",
)  # fmt: skip
BY_FILES = (
    "reading-hidden_tests_by_path", "reading-everything_below_the_root", "reading-memory_of_the_grader",
    "reading-classmate", "tampering-write_into_the_course", "tampering-gradebook_by_sqlite",
    "resources-deleted_files_that_stay_mapped", "resources-files_below_a_path_too_long",
)  # fmt: skip
LEVELS = {
    "C": (("landlock",), ANYWHERE + BY_FILTERS + BY_FILES),
    "G, only files are open": (("landlock", "namespaces"), ANYWHERE + BY_FILTERS),
    "G, no layer": (("landlock", "namespaces", "seccomp", "permits"), ANYWHERE),
}
"""layers that are missing, and attacks that are stopped all the same"""


@dataclass
class Aftermath:
    """What is left once everybody has been graded."""

    confinement: ConfinementLevel
    reports: dict[str, Report]
    before: dict[str, str]
    after: dict[str, str]
    visitors: int
    left_running: list[int]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    tests = hidden_tests(more=f"\n\nSECRET = {SECRET!r}\n")
    course = make_checked_course(tmp_path_factory.mktemp("hostile"), tests=tests)
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
    with pool.GraderPool(
        course.open(SLUG)
    ) as graders:  # what it finds out of the checks is there to be read and changed, too
        assert [report.score for report in graders.grade([submission_for(course.open(SLUG))])] == [4.0]
    assert len(list(course.open(SLUG).paths.check_cache.iterdir())) == 1
    return course


@pytest.fixture(scope="module")
def aftermath(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    skip_without("confinement")
    with pytest.MonkeyPatch.context() as patch:
        yield graded(course, PROGRAMS, WITHOUT, tmp_path_factory.mktemp("handed-in"), patch)


def notebook(course: Course, answer: str) -> bytes:
    return json.dumps(assemble(course.open(SLUG), {"scale": answer})).encode()


def graded(
    course: Course, attacks: Mapping[str, str], without: tuple[str, ...], folder: Path, patch: pytest.MonkeyPatch
) -> Aftermath:
    """Grade the attacks, and an honest submission now and then, in workers `without` these layers."""
    patch.setenv("GRADER_SECRET", SECRET)
    patch.setattr(pool, "Zygote", partial(Zygote, without=without))
    before = contents(course.root)
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        submissions = []
        for index, (name, source) in enumerate(attacks.items()):
            port = str(canary.getsockname()[1])
            wanted = [(name, source.replace("COURSE", str(course.root)).replace("PORT", port))]
            wanted += [(f"honest-{index}", HONEST)] if index % HONEST_AFTER == HONEST_AFTER - 1 else []
            for student, answer in wanted:
                file = folder / f"{student}.ipynb"
                file.write_bytes(notebook(course, answer))
                submissions.append(submission_for(course.open(SLUG), str(file)))
        with pool.GraderPool(course.open(SLUG), jobs=2) as graders:
            reports = {report.student: report for report in graders.grade(submissions)}
            left_running = left_after(10, graders.zygote.process.pid)
            confinement = graders.confinement
        return Aftermath(confinement, reports, before, contents(course.root), visitors(canary), left_running)


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


def said_by(report: Report) -> str:
    """What the submission could print."""
    return "".join(str(output.get("text", "")) for cell in report.cells for output in cell.outputs)


def fails(report: Report) -> None:
    """No point is gained, no secret seen, and the report is one that a person can be shown."""
    text = msgspec.json.encode(report).decode()
    assert not report.withheld, text
    assert report.score == 0
    assert SECRET not in text
    assert "SEEN" not in said_by(report)
    assert len(text) < 1 << 18


def changed_nothing(aftermath: Aftermath, attacks: int) -> None:
    """Every honest submission in between has full marks; the course is as it was; nobody called, nothing runs on."""
    honest = {name: report.score for name, report in aftermath.reports.items() if name.startswith("honest")}
    assert len(honest) == attacks // HONEST_AFTER
    assert set(honest.values()) == {4.0}
    assert aftermath.after == aftermath.before
    assert (aftermath.visitors, aftermath.left_running) == (0, [])


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_submission_gains_no_point_and_sees_no_secret(aftermath: Aftermath, name: str) -> None:
    fails(aftermath.reports[name])


def test_hostile_submissions_change_nothing(aftermath: Aftermath) -> None:
    changed_nothing(aftermath, len(PROGRAMS))


@pytest.mark.parametrize(
    "level",
    [
        pytest.param("C", marks=pytest.mark.machine("tree", "seccomp", "permits")),
        pytest.param("G, only files are open", marks=pytest.mark.machine("seccomp", "permits")),
        "G, no layer",
    ],
)
def test_hostile_submissions_fail_at_each_confinement_level(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    without, names = LEVELS[level]
    aftermath = graded(course, {name: PROGRAMS[name] for name in names}, without, tmp_path, monkeypatch)
    assert aftermath.confinement.level == ("C" if level == "C" else "G")
    for name in names:
        fails(aftermath.reports[name])
    changed_nothing(aftermath, len(names))


def test_hostile_submissions_give_inert_pages(course: Course, aftermath: Aftermath) -> None:
    names = [name for name in PROGRAMS if name.startswith(("objects-", "forging-score"))]
    for name in names:
        submit(course, name, notebook(course, PROGRAMS[name]).replace(b"COURSE", bytes(course.root)))
        write_report(aftermath.reports[name], course.open(SLUG).paths.report(name))
    assert record(course.open(SLUG), names) == {}
    assert write_feedback(course.open(SLUG)) == {}
    for name in names:
        page = course.open(SLUG).paths.feedback(name).read_text()
        assert dangers(page) == []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
        assert len(page) < 1 << 20


def test_hostile_corpus_is_large() -> None:
    assert len(PROGRAMS) >= 80

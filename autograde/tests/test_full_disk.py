"""A disk that is full, read-only or whose database is locked: one clear error, nothing half-written, and the next run
makes good. The disks are real ones, small, in memory; where mounting is not allowed those tests are skipped and say so.

`FULL_POINTS=50 pytest -m long autograde/tests/test_full_disk.py` fills the disk at fifty points of a run.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograde.course import CourseError, load_course
from autograde.disk import NotWritableError, check_free_space, explain_os_error, write_atomically
from autograde.records import grade_class as grading_run
from autograde.records.grade_class import grade_class
from autograde.report import decode_report
from autograde.tests.commands import course_here
from autograde.tests.machine import skip_without
from autograde.tests.regraded_class import Snapshot, snapshot
from autograde.tests.tiny_course import SLUG

FULL_POINTS = int(os.environ.get("FULL_POINTS", "5"))
ROOMY = 64 << 20
Undisturbed = tuple[Path, Snapshot, float]


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def resize(disk: Path, size: int) -> None:
    mount("-o", f"remount,size={size}", str(disk))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own."""
    skip_without("mounts")
    place = tmp_path / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={ROOMY}", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def copied(undisturbed: Undisturbed, disk: Path) -> Path:
    """A class whose reports are there and are to be recorded again."""
    root = disk / "course"
    shutil.copytree(undisturbed[0], root)
    return root


def expect_nothing_half_written(root: Path) -> None:
    for path in (root / "reports").rglob("*.json"):
        decode_report(path.read_bytes())
    for path in (root / "autograded").rglob("*.ipynb"):
        json.loads(path.read_text())
    assert not list(root.rglob("*.tmp"))
    with closing(sqlite3.connect(root / "gradebook.db")) as gradebook, gradebook:
        assert gradebook.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.long
@pytest.mark.parametrize("point", range(FULL_POINTS))
def test_disk_that_fills_up_midway_is_reported(
    undisturbed: Undisturbed, disk: Path, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """The look ahead is switched off, so that the run meets the end of the disk wherever that may be."""
    root = copied(undisturbed, disk)
    course = load_course(root)
    monkeypatch.chdir(root)
    monkeypatch.setattr(grading_run, "check_free_space", lambda *_: None)
    used = shutil.disk_usage(disk).used
    resize(disk, used + random.Random(point).randrange(0, 300 << 10))
    said = []
    try:
        said += grade_class(course.open(SLUG)).errors.values()
    except CourseError as error:
        said.append(str(error))
    except OSError as error:
        said.append(explain_os_error(error) or f"unexplained {error}")
    assert all("free some space there, then run the command again" in text for text in said), said
    resize(disk, ROOMY)
    expect_nothing_half_written(root)
    assert grade_class(course.open(SLUG)).errors == {}
    assert snapshot(root) == undisturbed[1]


@pytest.mark.long
def test_disk_that_is_full_is_noticed_before_anything_changes(undisturbed: Undisturbed, disk: Path) -> None:
    root = copied(undisturbed, disk)
    resize(disk, shutil.disk_usage(disk).used + (1 << 20))
    refused = course_here(load_course(root), "grade", SLUG, "--force")
    assert refused.returncode == 2
    assert f"error: {root}: 1 MB are free and about 5 MB are needed; free some space there" in refused.stderr
    assert snapshot(root) == undisturbed[1]


@pytest.mark.long
def test_disk_folder_that_may_not_be_written_is_reported(undisturbed: Undisturbed, disk: Path) -> None:
    root = copied(undisturbed, disk)
    mount("-o", "remount,ro", str(disk))
    for words in (("grade", SLUG), ("feedback", SLUG), ("report", SLUG), ("export",)):
        refused = course_here(load_course(root), *words)
        assert refused.returncode in (1, 2), words
        assert "writable" in refused.stderr, (words, refused.stderr)
    mount("-o", "remount,rw", str(disk))
    expect_nothing_half_written(root)
    assert snapshot(root) == undisturbed[1]
    assert course_here(load_course(root), "grade", SLUG).returncode == 0


@pytest.mark.long
def test_disk_database_locked_by_another_program_is_reported(undisturbed: Undisturbed, tmp_path: Path) -> None:
    root = copied(undisturbed, tmp_path)
    holds = (
        "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\nc.execute('BEGIN EXCLUSIVE')\n"
    )
    holds += "print('held', flush=True)\nsys.stdin.read()"
    words = [sys.executable, "-c", holds, str(root / "gradebook.db")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refused = course_here(load_course(root), "grade", SLUG, "--force")
        holder.communicate("", timeout=10)
    assert refused.returncode == 2
    assert f"error: {root / 'gradebook.db'}: locked by another program; let it finish or close it" in refused.stderr
    assert snapshot(root) == undisturbed[1]
    assert course_here(load_course(root), "grade", SLUG).returncode == 0


@pytest.mark.long
def test_disk_database_locked_midway_is_reported(
    undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograde.records import gradebook as recording

    root = copied(undisturbed, tmp_path)
    course = load_course(root)
    monkeypatch.chdir(root)
    with (
        closing(sqlite3.connect(root / "gradebook.db", isolation_level=None)) as holder,
        monkeypatch.context() as patch,
    ):
        holder.execute("BEGIN EXCLUSIVE")
        patch.setattr(recording, "check_gradebook", lambda *_: None)
        patch.setattr(grading_run, "check_gradebook", lambda *_: None)
        with pytest.raises(CourseError, match=r"gradebook.db: locked by another program.*run the command again"):
            grade_class(course.open(SLUG))
        holder.execute("ROLLBACK")
    expect_nothing_half_written(root)
    assert grade_class(course.open(SLUG)).errors == {}
    assert snapshot(root) == undisturbed[1]


@given(old=st.binary(max_size=50) | st.none(), new=st.binary(max_size=50), written=st.integers(0, 60))
def test_disk_writes_a_file_atomically(
    tmp_path_factory: pytest.TempPathFactory, old: bytes | None, new: bytes, written: int
) -> None:
    """The disk takes so many bytes and no more."""
    path = tmp_path_factory.mktemp("whole", numbered=True) / "file.json"
    if old is not None:
        path.write_bytes(old)

    def write_bytes(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:written])
        if len(data) > written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return len(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", write_bytes)
        try:
            write_atomically(path, new)
        except OSError as error:
            assert "free some space" in str(explain_os_error(error))
    expected = new if len(new) <= written else old
    assert (path.read_bytes() if path.exists() else None) == expected
    assert [left.name for left in path.parent.iterdir()] == (["file.json"] if expected is not None else [])


def test_disk_space_is_checked_where_the_folder_will_be(tmp_path: Path) -> None:
    check_free_space([tmp_path / "not" / "yet"], 1)
    with pytest.raises(
        NotWritableError, match=rf"{tmp_path}: \d+ MB are free and about \d+ MB are needed.*nothing was chan"
    ):
        check_free_space([tmp_path / "not" / "yet"], 1 << 60)
    assert list(tmp_path.iterdir()) == []


def test_disk_reports_only_errors_of_the_machine() -> None:
    """A mistake of the engine is not called one of the machine."""
    assert explain_os_error(FileNotFoundError(errno.ENOENT, "No such file or directory", "x")) is None
    assert explain_os_error(BrokenPipeError()) is None

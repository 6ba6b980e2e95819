"""A hostile archive harms no student: bad entries are named, the others are collected, and nothing is written elsewhere."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.lms_import import archive
from autograde.tests.lms_import.classroom import NOTEBOOK, SLUG, collect, notebooks, pack, students, submitted

GOOD = f"bob/{SLUG}/{SLUG}.ipynb"


def pack_changed(course: Course, name: str, change: Callable[[zipfile.ZipInfo], None]) -> Path:
    """A zip of one file, whose entry is changed before it is written."""
    path = course.root / "in.zip"
    info = zipfile.ZipInfo(name)
    change(info)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, "/etc/passwd")
        file.writestr(GOOD, NOTEBOOK)
    return path


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"../ada/{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"ada/../../{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"/ada/{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"C:ada/{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"ada//{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"a\\da/{SLUG}/{SLUG}.ipynb", "outside its folder"),
        (f"a\u202eda/{SLUG}/{SLUG}.ipynb", "invisible characters"),
        (f"a\u2028da/{SLUG}/{SLUG}.ipynb", "invisible characters"),
        (f"a\nda/{SLUG}/{SLUG}.ipynb", "invisible characters"),
        (f"a\x1b[2Jda/{SLUG}/{SLUG}.ipynb", "invisible characters"),
        (f"{'a/' * 30}ada/{SLUG}/{SLUG}.ipynb", "too long"),
        (f"{'ä' * 200}/{SLUG}/{SLUG}.ipynb", "too long"),
        (f"a*da/{SLUG}/{SLUG}.ipynb", "no student id"),
        (f"-rf/{SLUG}/{SLUG}.ipynb", "no student id"),
        (f"a,da/{SLUG}/{SLUG}.ipynb", "no student id"),
        (f"<b>/{SLUG}/{SLUG}.ipynb", "no student id"),
        (f"{chr(0x1D400) * 60}/{SLUG}/{SLUG}.ipynb", "240 bytes"),
    ],
)
def test_archive_hostile_name_is_named_and_the_others_are_collected(no_roster: Course, name: str, said: str) -> None:
    done = collect(no_roster, {name: b"bad", GOOD: NOTEBOOK})
    assert (done.returncode, submitted(no_roster)) == (1, {GOOD: NOTEBOOK})
    assert [said in line for line in done.stderr.splitlines()] == [True]
    assert done.stderr.strip().isprintable()
    assert not list(no_roster.root.parent.glob(f"ada/{SLUG}"))


def make_link(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o120777 << 16


def make_pipe(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o010644 << 16


@pytest.mark.parametrize(("change", "said"), [(make_link, "is a link"), (make_pipe, "is not a plain file")])
def test_archive_link_or_pipe_is_refused(course: Course, change: Callable[[zipfile.ZipInfo], None], said: str) -> None:
    done = collect(course, pack_changed(course, f"ada/{SLUG}/{SLUG}.ipynb", change))
    assert (done.returncode, students(course)) == (1, ["bob"])
    assert said in done.stderr


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archive_name_that_occurs_twice_is_refused(course: Course) -> None:
    files = [(f"ada/{SLUG}/{SLUG}.ipynb", "one"), (f"ada/{SLUG}/{SLUG}.ipynb", "two"), (GOOD, NOTEBOOK)]
    done = collect(course, pack(course.root / "in.zip", files))
    assert (done.returncode, students(course)) == (1, ["bob"])
    assert "several times" in done.stderr


def test_archive_names_are_normalised_before_they_are_compared(course: Course) -> None:
    """José in two encodings is one name."""
    folder = "Jos{}Müller_5_assignsubmission_file_"
    files = {f"{folder.format(e)}/{SLUG}.ipynb": b"x" for e in ("é ", "e\u0301 ")}
    done = collect(course, files)
    assert (done.returncode, students(course)) == (1, [])
    assert "several times" in done.stderr


@pytest.mark.parametrize(("raw", "status"), [("Žofie".encode(), 0), (b"Jos\xe9", 1)])
def test_archive_unmarked_names_are_read_as_utf8(no_roster: Course, raw: bytes, status: int) -> None:
    path = pack(no_roster.root / "in.zip", {f"{'x' * len(raw)}/{SLUG}/{SLUG}.ipynb": NOTEBOOK})
    path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
    done = collect(no_roster, path)
    assert (done.returncode, students(no_roster)) == (status, [] if status else ["Žofie"])
    assert ("unknown encoding" in done.stderr) == bool(status)


def test_archive_bomb_is_refused_whatever_size_it_claims(course: Course) -> None:
    path = pack(course.root / "in.zip", {f"ada/{SLUG}/{SLUG}.ipynb": b"\0" * (64 << 20), GOOD: NOTEBOOK})
    assert path.stat().st_size < 1 << 20
    done = collect(course, path)
    assert (done.returncode, students(course)) == (1, ["bob"])
    assert "unpacks to more than" in done.stderr
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 64 << 20), struct.pack("<I", 10)))
    done = collect(course, path)
    assert (done.returncode, students(course)) == (1, ["bob"])
    assert f"ada/{SLUG}" in done.stderr


def test_archive_encrypted_or_unusual_entries_are_refused(course: Course) -> None:
    path = pack(course.root / "in.zip", {f"ada/{SLUG}/{SLUG}.ipynb": b"data"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "ada: " in (done := collect(course, path)).stderr
    assert "is encrypted" in done.stderr
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr(f"ada/{SLUG}/{SLUG}.ipynb", "data")
    assert "no learning platform" in collect(course, path).stderr
    assert submitted(course) == {}


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18])
def test_archive_that_is_no_zip_is_named(course: Course, data: bytes) -> None:
    path = course.root / "in.zip"
    path.write_bytes(data)
    done = collect(course, path)
    assert done.returncode == 2
    assert "in.zip: not a zip archive" in done.stderr


def test_archive_that_does_not_exist_is_named(course: Course) -> None:
    done = collect(course, Path("gone.zip"))
    assert (done.returncode, done.stderr) == (2, "error: gone.zip: no such file\n")


@pytest.mark.parametrize("files", [{}, {"README.txt": b"x"}, {f"ada/{SLUG}.pdf": b"x"}])
def test_archive_without_submissions_is_refused(no_roster: Course, files: dict[str, bytes]) -> None:
    done = collect(no_roster, files)
    assert done.returncode == 1
    assert "contains no submission" in done.stderr


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, contents in files.items():
            file.writestr(name, contents)
    return data.getvalue()


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ({"../rmsnorm.ipynb": NOTEBOOK}, "no notebook"),
        ({"/etc/rmsnorm.ipynb": NOTEBOOK}, "no notebook"),
        ({f"{SLUG}.zip": zipped({f"{SLUG}.ipynb": NOTEBOOK})}, "no notebook"),
        ({f"{SLUG}.ipynb": b"\0" * (64 << 20)}, "unpacks to more than"),
        ({f"{number}.ipynb": b"" for number in range(2001)}, "more than 2000 files"),
        ({f"__MACOSX/{SLUG}.ipynb": b"", f".{SLUG}.ipynb": b""}, "no notebook"),
    ],
)
def test_archive_hostile_zip_of_a_student_harms_only_them(course: Course, inner: dict[str, bytes], said: str) -> None:
    files = {f"lovelaceada_101_1_{SLUG}.zip": zipped(inner), f"obrienbob_102_2_{SLUG}.ipynb": NOTEBOOK}
    done = collect(course, files)
    assert (done.returncode, notebooks(course)) == (1, {"bob": NOTEBOOK})
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ada: ")]
    assert said in line


def test_archive_zip_of_a_student_that_is_none_is_named(course: Course) -> None:
    done = collect(course, {f"lovelaceada_101_1_{SLUG}.zip": b"PK not a zip"})
    assert (done.returncode, students(course)) == (1, [])
    assert "ada: " in done.stderr


def test_archive_zips_of_students_share_the_limit_of_the_archive(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive.Budget, "__init__", lambda self: setattr(self, "left", 3 << 20))
    inner = zipped({f"{SLUG}.ipynb": b"\0" * (2 << 20)})
    done = collect(course, {f"lovelaceada_101_1_{SLUG}.zip": inner, f"obrienbob_102_2_{SLUG}.zip": inner})
    assert (done.returncode, students(course)) == (1, ["ada"])
    assert "all files together unpack to more than" in done.stderr


def test_archive_entry_of_a_person_that_is_refused_leaves_their_other_files(course: Course) -> None:
    folder = "Ada Lovelace_555_assignsubmission_file_"
    done = collect(course, {f"{folder}/{SLUG}.ipynb": NOTEBOOK, f"{folder}/\x07.ipynb": b"x"})
    assert (done.returncode, students(course)) == (1, ["ada"])
    assert "Ada Lovelace_555_assignsubmission_file_/\\x07.ipynb" in done.stderr

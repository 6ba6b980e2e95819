"""Archives from nbgrader, Canvas, Moodle and Gradescope fill submitted/, and hostile ones do no harm."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook

from autograde.cli import main
from autograde.course import Course, Limits
from autograde.lms_import.archive import ArchiveError
from autograde.lms_import.collect import Collected, collect
from autograde.notebooks.submitted import submission_of
from autograde.tests.commands import nbgrader_command
from autograde.tests.tiny_course import SLUG

METADATA = """---
submission_111:
  :submitters:
  - :name: Ada Lovelace
    :sid: '101'
    :email: ada@x.org
  - :name: Bob O'Brien
    :sid: ''
    :email: bob@x.org
  :created_at: 2027-02-14 23:31:00.5 +01:00
  :score: 3.0
submission_222:
  :submitters:
  - :name: Cy
    :email: cy@y.org
  :created_at: 2027-02-14 20:00:00 Z
"""


@pytest.fixture
def course(released: Course) -> Course:
    """Knows ada and bob."""
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", email="ADA@x.org", lms_user_id="101")
        gradebook.add_student("bob", first_name="Bob", last_name="O'Brien", email="bob@x.org", lms_user_id="102")
    return released


def packed(root: Path, files: dict[str, bytes | str], change: Callable[[zipfile.ZipInfo], None] | None = None) -> Path:
    """A zip of these files."""
    path = root / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(info)
            archive.writestr(info, data)
    return path


def there(course: Course) -> dict[str, bytes]:
    folder = course.root / "submitted"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def collected(course: Course, files: dict[str, bytes | str], **more: Any) -> Collected:
    return collect(course.open(SLUG), packed(course.root, files, **more))


def test_collect_reads_canvas(course: Course) -> None:
    done = collected(
        course,
        {
            f"lovelaceada_101_9001_{SLUG}-2.ipynb": "ada",
            f"obrienbob_LATE_102_9002_{SLUG}.py": "bob",
            "stranger_77_9003_homework.ipynb": "only one",
            "lovelaceada_101_9004_notes.pdf": b"%PDF",
        },
    )
    assert there(course) == {
        f"ada/{SLUG}/{SLUG}.ipynb": b"ada",
        f"bob/{SLUG}/{SLUG}.py": b"bob",
        f"77/{SLUG}/{SLUG}.ipynb": b"only one",
    }
    assert (sorted(done.new), done.refused) == (["77", "ada", "bob"], [])
    assert done.notes == ["bob: late by the platform's word; write when into timestamp.txt"]


@pytest.mark.parametrize("joint", ["_assignsubmission_file_/", "_assignsubmission_file/", "_assignsubmission_file_"])
def test_collect_reads_moodle(course: Course, joint: str) -> None:
    files = {
        f"Ada Lovelace_555{joint}{SLUG}.ipynb": b"ada",
        f"José Müller_556{joint}{SLUG}.ipynb": b"jose",
        "Ada Lovelace_555_assignsubmission_onlinetext/onlinetext.html": b"<p>",
    }
    assert collected(course, files).refused == []
    assert set(there(course)) == {f"ada/{SLUG}/{SLUG}.ipynb", f"José_Müller/{SLUG}/{SLUG}.ipynb"}


def test_collect_distinguishes_moodle_users_of_the_same_name(course: Course) -> None:
    files = {f"Kim Lee_{number}_assignsubmission_file_/{SLUG}.ipynb": b"x" for number in (1, 2)}
    assert collected(course, files).refused == ["Kim_Lee: 2 people in the archive have this name; enter their numbers."]
    assert there(course) == {}


def test_collect_reads_gradescope(course: Course) -> None:
    files = {
        "assignment_9_export/submission_metadata.yml": METADATA,
        f"assignment_9_export/submission_111/{SLUG}.ipynb": b"group",
        f"assignment_9_export/submission_222/src/{SLUG}.py": b"cy",
    }
    assert collected(course, files).refused == []
    found = there(course)
    assert found[f"ada/{SLUG}/{SLUG}.ipynb"] == found[f"bob/{SLUG}/{SLUG}.ipynb"] == b"group"
    assert found[f"Cy/{SLUG}/{SLUG}.py"] == b"cy"
    assert found[f"ada/{SLUG}/timestamp.txt"] == b"2027-02-14 22:31:00 UTC"


@pytest.mark.parametrize("top", ["", "submitted/", "course/submitted/"])
def test_collect_reads_nbgrader_folders_that_can_be_graded(course: Course, top: str) -> None:
    notebook = course.open(SLUG).paths.released_notebook.read_bytes()
    files = {
        f"{top}ada/{SLUG}/{SLUG}.ipynb": notebook,
        f"{top}ada/{SLUG}/timestamp.txt": "2027-01-30 10:00:00 UTC\n",
        f"{top}bob/other/other.ipynb": b"another assignment's",
        "__MACOSX/._x.ipynb": b"",
    }
    done = collected(course, files)
    assert done.new == ["ada"]
    assert ["other.ipynb" in sentence for sentence in done.refused] == [True]
    assert submission_of(course.open(SLUG), "ada").problems == []
    assert there(course)[f"ada/{SLUG}/timestamp.txt"] == b"2027-01-30 10:00:00 UTC"


def test_collect_second_archive_replaces_only_changes(course: Course) -> None:
    collected(course, {f"a_101_1_{SLUG}.ipynb": b"one", f"b_102_2_{SLUG}.ipynb": b"same"})
    (course.open(SLUG).paths.submitted("bob") / "timestamp.txt").write_text("2027-01-30 10:00:00 UTC")
    done = collected(course, {f"a_101_3_{SLUG}.py": b"two", f"b_102_2_{SLUG}.ipynb": b"same"})
    assert (done.replaced, done.unchanged) == (["ada"], ["bob"])
    assert set(there(course)) == {f"ada/{SLUG}/{SLUG}.py", f"bob/{SLUG}/{SLUG}.ipynb", f"bob/{SLUG}/timestamp.txt"}


def test_collect_chooses_among_several_files(course: Course) -> None:
    done = collected(
        course,
        {
            f"a_101_1_{SLUG} (1).ipynb": b"named", "a_101_2_scratch.ipynb": b"no",
            "b_102_3_one.ipynb": b"?", "b_102_4_two.ipynb": b"?", "c_103_5_report.pdf": b"%PDF",
        },
    )  # fmt: skip
    assert there(course) == {f"ada/{SLUG}/{SLUG}.ipynb": b"named"}
    assert len(done.refused) == 2
    assert "'one.ipynb', 'two.ipynb'" in done.refused[1]
    assert f"no {SLUG}.ipynb" in done.refused[0]


def as_link(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o120777 << 16


def as_pipe(info: zipfile.ZipInfo) -> None:
    info.external_attr = 0o010644 << 16


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
def test_collect_refuses_a_hostile_name_and_continues(course: Course, name: str, said: str) -> None:
    done = collected(course, {name: b"bad", f"good/{SLUG}/{SLUG}.ipynb": b"good"})
    (sentence,) = done.refused
    assert said in sentence
    assert sentence.isprintable()
    assert there(course) == {f"good/{SLUG}/{SLUG}.ipynb": b"good"}
    assert not list(course.root.parent.glob(f"ada/{SLUG}"))


@pytest.mark.parametrize(("change", "said"), [(as_link, "is a link"), (as_pipe, "is no plain file")])
def test_collect_refuses_links_and_pipes(course: Course, change: Callable[[zipfile.ZipInfo], None], said: str) -> None:
    done = collected(course, {f"ada/{SLUG}/{SLUG}.ipynb": "/etc/passwd"}, change=change)
    assert [said in sentence for sentence in done.refused] == [True]
    assert there(course) == {}


def test_collect_refuses_a_name_that_occurs_twice(course: Course) -> None:
    path = course.root / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"ada/{SLUG}/{SLUG}.ipynb", "one")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(f"ada/{SLUG}/{SLUG}.ipynb", "two")
    assert ["2 times" in sentence for sentence in collect(course.open(SLUG), path).refused] == [True]
    assert there(course) == {}


def test_collect_reads_unmarked_utf8_names_and_refuses_others(course: Course) -> None:
    def unmarked(raw: bytes) -> Path:
        path = packed(course.root, {f"{'x' * len(raw)}/{SLUG}/{SLUG}.ipynb": b"data"})
        path.write_bytes(path.read_bytes().replace(b"x" * len(raw), raw))
        return path

    assert collect(course.open(SLUG), unmarked("Žofie".encode())).new == ["Žofie"]
    assert ["unknown encoding" in s for s in collect(course.open(SLUG), unmarked(b"Jos\xe9")).refused] == [True]


def test_collect_refuses_a_zip_bomb_whatever_size_it_claims(course: Course) -> None:
    small = Course("tiny", course.assignments, limits=Limits(notebook_bytes=1 << 20), root=course.root)
    path = packed(course.root, {f"ada/{SLUG}/{SLUG}.ipynb": b"\0" * (64 << 20), f"bob/{SLUG}/{SLUG}.ipynb": b"ok"})
    assert path.stat().st_size < 1 << 20
    assert ["more than 1 MB" in sentence for sentence in collect(small.open(SLUG), path).refused] == [True]
    data = path.read_bytes().replace(struct.pack("<I", 64 << 20), struct.pack("<I", 10))
    path.write_bytes(data)
    (sentence,) = collect(small.open(SLUG), path).refused
    assert f"ada/{SLUG}" in sentence
    assert list(there(course)) == [f"bob/{SLUG}/{SLUG}.ipynb"]


def test_collect_refuses_encrypted_and_unusual_archives(course: Course) -> None:
    path = packed(course.root, {f"ada/{SLUG}/{SLUG}.ipynb": b"data"})
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    assert ["encrypted" in sentence for sentence in collect(course.open(SLUG), path).refused] == [True]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(f"ada/{SLUG}/{SLUG}.ipynb", "data")
    assert ["no learning platform" in sentence for sentence in collect(course.open(SLUG), path).refused] == [True]


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip", b"PK\x05\x06" + b"\xff" * 18])
def test_collect_names_a_file_that_is_not_an_archive(course: Course, data: bytes) -> None:
    path = course.root / "in.zip"
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match=r"in\.zip: not a zip archive"):
        collect(course.open(SLUG), path)


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.system ['true']", "[" * 100_000, "- \x00", "submission_1: 5", "", "submission_1:\n" * 9999,
     "submission_1:\n  :submitters:\n    :sid: 5\n", "submission_1:\n  :submitters:\n  - :sid: \"\\u\"\n",
     "submission_1:\n  :submitters:\n  - :sid: ../../x\n  :created_at: 9999-99-99 00:00:00 Z\n"],
)  # fmt: skip
def test_collect_ignores_hostile_gradescope_metadata(course: Course, text: str) -> None:
    files: dict[str, bytes | str] = {"submission_metadata.yml": text, f"submission_1/{SLUG}.ipynb": b"x"}
    done = collected(course, files)
    assert (done.new, len(done.refused)) == ([], 1)
    assert there(course) == {}


def test_collect_follows_no_link_in_submitted(course: Course, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "ada").symlink_to(outside)
    done = collected(course, {f"ada/{SLUG}/{SLUG}.ipynb": b"x"})
    assert ["is a link" in sentence for sentence in done.refused] == [True]
    assert list(outside.iterdir()) == []


def test_collect_file_in_place_of_a_folder_stops_only_that_student(course: Course) -> None:
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "ada").write_text("who put this here?")
    names = {f"lovelaceada_101_9001_{SLUG}.ipynb": b"ada", f"obrien_102_2_{SLUG}.ipynb": b"bob"}
    done = collected(course, names)
    assert done.new == ["bob"]
    (refused,) = done.refused
    assert "move it" in refused


def test_collect_command_reports_what_it_did(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(course.root)
    packed(course.root, {f"a_101_1_{SLUG}.ipynb": b"x", "../evil.ipynb": b"x"})
    shown = CliRunner().invoke(main, ["collect", SLUG, "in.zip"])
    assert (shown.exit_code, shown.stdout) == (1, f"{SLUG}: 1 new, 0 replaced, 0 unchanged, 1 refused\n")
    assert "'../evil.ipynb' would be written outside its folder." in shown.stderr
    shown = CliRunner().invoke(main, ["collect", SLUG, "gone.zip"])
    assert (shown.exit_code, shown.stderr) == (2, "error: gone.zip: no such file\n")


def test_collect_serves_stock_zip_collect(course: Course) -> None:
    """nbgrader's own zip_collect uses the same reader."""
    archive = course.root / "downloaded" / SLUG / "archive"
    archive.mkdir(parents=True)
    name = f"lovelaceada_101_9001_{SLUG}.ipynb"
    packed(archive, {name: b"ada", "../evil.ipynb": b"x", f"obrien_102_2_{SLUG}.ipynb": b"bob"})
    done = nbgrader_command(course, "zip_collect", SLUG)
    assert done.returncode == 0, done.stderr
    assert "'../evil.ipynb' would be written outside its folder." in done.stderr
    assert there(course) == {f"ada/{SLUG}/{SLUG}.ipynb": b"ada", f"bob/{SLUG}/{SLUG}.ipynb": b"bob"}

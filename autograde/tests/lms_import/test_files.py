"""The right file of each student is taken, whatever it is called, and what is left out is named."""

from __future__ import annotations

import pytest

from autograde.course import Course
from autograde.tests.lms_import.classroom import NOTEBOOK, OTHER, SLUG, collect, notebooks, students, submitted
from autograde.tests.lms_import.test_archive import zipped

FOLDER = "Ada Lovelace_555_assignsubmission_file_"


@pytest.mark.parametrize(
    ("file", "suffix"),
    [
        ("rmsnorm.ipynb.json", ".ipynb"),
        ("rmsnorm.ipynb.txt", ".ipynb"),
        ("rmsnorm.IPYNB", ".ipynb"),
        ("rmsnorm.Ipynb.JSON", ".ipynb"),
        ("rmsnorm.ipynb-1.json", ".ipynb"),
        ("rmsnorm.ipynb (1).txt", ".ipynb"),
        ("rmsnorm (2).ipynb.json", ".ipynb"),
        ("rmsnorm.py.txt", ".py"),
        ("rmsnorm.PY", ".py"),
        ("rmsnorm-Copy1.ipynb", ".ipynb"),
        ("Copy of rmsnorm.ipynb", ".ipynb"),
        ("rmsnorm - Kopie.ipynb", ".ipynb"),
    ],
)
def test_file_of_an_unusual_name_is_taken_with_a_note(course: Course, file: str, suffix: str) -> None:
    done = collect(course, {f"{FOLDER}/{file}": NOTEBOOK})
    assert (done.returncode, submitted(course)) == (0, {f"ada/{SLUG}/{SLUG}{suffix}": NOTEBOOK}), done.stderr
    assert f"ada: note: '{file}' was taken as {SLUG}{suffix}" in done.stderr


@pytest.mark.parametrize("file", ["rmsnorm.ipynb", "rmsnorm-3.ipynb", "rmsnorm (1).ipynb", "RMSNorm.ipynb", "hw.ipynb"])
def test_file_of_a_usual_name_is_taken_without_a_note(course: Course, file: str) -> None:
    done = collect(course, {f"{FOLDER}/{file}": NOTEBOOK})
    assert (done.returncode, students(course), done.stderr) == (0, ["ada"], "")


@pytest.mark.parametrize(
    "other",
    ["rmsnorm-Copy1.ipynb", "rmsnorm copy 2.ipynb", "Copy of rmsnorm.ipynb", "old/rmsnorm.ipynb", "scratch.ipynb",
     "rmsnorm.py", "work.zip"],
)  # fmt: skip
def test_file_that_is_not_taken_is_named(course: Course, other: str) -> None:
    done = collect(course, {f"{FOLDER}/rmsnorm.ipynb": NOTEBOOK, f"{FOLDER}/{other}": b"other"})
    assert (done.returncode, notebooks(course)) == (0, {"ada": NOTEBOOK})
    (line,) = [line for line in done.stderr.splitlines() if "not taken" in line]
    assert line.startswith("ada: ")
    assert f"'{other}'" in line


@pytest.mark.parametrize(
    "files",
    [
        ["one.ipynb", "two.ipynb"],
        ["rmsnorm.ipynb", "rmsnorm-1.ipynb"],
        ["a/rmsnorm.ipynb", "b/rmsnorm.ipynb"],
        ["rmsnorm-Copy1.ipynb", "rmsnorm-Copy2.ipynb"],
        ["RMSNorm.ipynb", "rms_norm.ipynb"],
        ["rmsnorm.ipynb", "rmsnorm.ipynb.json"],
    ],
)
def test_files_of_equal_right_are_refused(course: Course, files: list[str]) -> None:
    done = collect(course, {f"{FOLDER}/{file}": NOTEBOOK for file in files})
    assert (done.returncode, students(course)) == (1, [])
    assert all(f"'{file}'" in done.stderr for file in files)


@pytest.mark.parametrize(
    "file", [f"{OTHER}.ipynb", "SwiGLU.ipynb", f"{OTHER}-Copy1.ipynb", f"hw2_{OTHER}_lovelace.ipynb"]
)
def test_file_named_like_another_assignment_is_noted(course: Course, file: str) -> None:
    done = collect(course, {f"{FOLDER}/{file}": NOTEBOOK})
    assert (done.returncode, students(course)) == (0, ["ada"])
    assert f"ada: note: '{file}' is named like the assignment {OTHER}" in done.stderr


@pytest.mark.parametrize("file", [f"{SLUG}.ipynb", f"{SLUG}_not_{OTHER}.ipynb", "homework.ipynb"])
def test_file_named_like_no_other_assignment_is_not_noted(course: Course, file: str) -> None:
    assert "another" not in collect(course, {f"{FOLDER}/{file}": NOTEBOOK}).stderr


LOST = {
    "canvas link": ("lovelaceada_101_link.html", "submitted a link"),
    "canvas late link": ("lovelaceada_LATE_101_link.html", "submitted a link"),
    "canvas text": ("lovelaceada_101_text.html", "submitted text"),
    "canvas, a name with a number": ("lovelaceada_7_101_text.html", "submitted text"),
    "canvas pdf": ("lovelaceada_101_9001_report.pdf", "no notebook and no script: 'report.pdf'"),
    "canvas, a file called link.html": ("lovelaceada_101_9001_link.html", "no notebook and no script: 'link.html'"),
    "moodle text": ("Ada Lovelace_555_assignsubmission_onlinetext_/onlinetext.html", "submitted text"),
    "moodle 4 text": ("Ada Lovelace_555_assignsubmission_onlinetext/onlinetext.html", "submitted text"),
    "moodle flat text": ("Ada Lovelace_555_assignsubmission_onlinetext_onlinetext.html", "submitted text"),
    "moodle hidden file": (f"{FOLDER}/.{SLUG}.ipynb", "no notebook"),
    "moodle checkpoint": (f"{FOLDER}/.ipynb_checkpoints/{SLUG}-checkpoint.ipynb", "no notebook"),
    "moodle empty folder": (f"{FOLDER}/", "the archive has no file of it"),
    "moodle tar": (f"{FOLDER}/{SLUG}.tar.gz", "no notebook"),
    "nbgrader empty folder": (f"ada/{SLUG}/", "the archive has no file of it"),
    "nbgrader time alone": (f"ada/{SLUG}/timestamp.txt", "the archive has no file of it"),
    "blackboard text": ("RMS_ada_attempt_2027-01-30-12-00-00.txt", "submitted text"),
    "brightspace text": ("1-2 - Ada Lovelace - Jan 30, 2027 926 PM/index.html", "no notebook"),
}


@pytest.mark.parametrize("case", LOST)
def test_submission_without_a_notebook_is_named(course: Course, case: str) -> None:
    """And a classmate's is collected."""
    file, said = LOST[case]
    others = {
        "canvas": f"obrienbob_102_9_{SLUG}.ipynb",
        "moodle": f"Bob OBrien_5_assignsubmission_file_/{SLUG}.ipynb",
        "nbgrader": f"bob/{SLUG}/{SLUG}.ipynb",
        "blackboard": f"RMS_bob_attempt_2027-01-30-12-00-00_{SLUG}.ipynb",
        "brightspace": f"3-2 - Bob O'Brien - Jan 30, 2027 926 PM/{SLUG}.ipynb",
    }
    done = collect(
        course,
        {file: b"2027-01-01 10:00:00 UTC", next(o for name, o in others.items() if case.startswith(name)): NOTEBOOK},
    )
    assert (done.returncode, notebooks(course)) == (1, {"bob": NOTEBOOK}), done.stderr
    assert any(said in line for line in done.stderr.splitlines() if line.startswith("ada: "))


def test_submission_of_a_notebook_and_a_text_needs_attention(course: Course) -> None:
    text = "Ada Lovelace_555_assignsubmission_onlinetext_/onlinetext.html"
    done = collect(course, {f"{FOLDER}/{SLUG}.ipynb": NOTEBOOK, text: b"<p>"})
    assert (done.returncode, students(course)) == (1, ["ada"])
    assert "ada: also submitted a text or link" in done.stderr


ZIPS = {
    "canvas": f"lovelaceada_101_9001_{SLUG}.zip",
    "moodle": f"{FOLDER}/work.ZIP",
    "blackboard": f"RMS_ada_attempt_2027-01-30-12-00-00_{SLUG}.zip",
    "brightspace": f"1-2 - Ada Lovelace - Jan 30, 2027 926 PM/{SLUG}.zip",
    "nbgrader": f"ada/{SLUG}/{SLUG}.zip",
}


@pytest.mark.parametrize("platform", ZIPS)
@pytest.mark.parametrize("folder", ["", "rmsnorm/", "bob/rmsnorm/", "Bob OBrien_556_assignsubmission_file_/"])
def test_zip_of_a_student_is_opened(course: Course, platform: str, folder: str) -> None:
    """Its folders say nothing about who they are."""
    inner = {f"{folder}{SLUG}.ipynb": NOTEBOOK, f"{folder}timestamp.txt": b"2020-01-01 00:00:00 UTC"}
    done = collect(course, {ZIPS[platform]: zipped(inner | {f"__MACOSX/._{SLUG}.ipynb": b""})})
    assert (done.returncode, notebooks(course)) == (0, {"ada": NOTEBOOK}), done.stderr
    assert f"ada: note: '{folder}{SLUG}.ipynb' was taken out of" in done.stderr
    assert b"2020" not in b"".join(submitted(course).values())


def test_other_files_are_counted(course: Course) -> None:
    files = {f"{FOLDER}/{name}": b"" for name in ("a.pdf", "b.PDF", "c.png", "d")}
    done = collect(course, {f"{FOLDER}/{SLUG}.ipynb": NOTEBOOK} | files)
    assert done.returncode == 0
    assert "left out: 2 × .pdf, 1 × .png, 1 × no suffix" in done.stderr


def test_second_archive_replaces_only_changes(course: Course) -> None:
    both = {f"a_101_1_{SLUG}.ipynb": b"one", f"b_102_2_{SLUG}.ipynb": b"same"}
    collect(course, both)
    (course.open(SLUG).paths.submitted("bob") / "timestamp.txt").write_text("2027-01-30 10:00:00 UTC")
    done = collect(course, {f"a_101_3_{SLUG}.py": b"two", f"b_102_2_{SLUG}.ipynb": b"same"})
    assert f"{SLUG}: 0 new, 1 replaced, 1 unchanged, 0 refused\nreplaced: ada\nunchanged: bob\n" in done.stdout
    assert set(submitted(course)) == {f"ada/{SLUG}/{SLUG}.py", f"bob/{SLUG}/{SLUG}.ipynb", f"bob/{SLUG}/timestamp.txt"}


ATTEMPTS = {
    "blackboard": ("RMS_ada_attempt_2027-01-{}-12-00-00_rmsnorm.ipynb", "29", "30"),
    "brightspace": ("1-2 - Ada Lovelace - Jan {}, 2027 926 PM/rmsnorm.ipynb", "9", "10"),
}


@pytest.mark.parametrize("platform", ATTEMPTS)
def test_last_attempt_is_taken(course: Course, platform: str) -> None:
    name, first, second = ATTEMPTS[platform]
    done = collect(course, {name.format(second): b"second", name.format(first): b"first"})
    assert (done.returncode, notebooks(course)) == (0, {"ada": b"second"})
    assert "only the last attempt counts" in done.stderr

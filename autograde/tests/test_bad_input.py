"""A file that cannot be read is named with the reason and stops nothing else: a submission, a report, a gradebook."""

from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.release import assemble
from autograde.notebooks.submitted import read_submitted
from autograde.report import write_report
from autograde.tests.checked_course import released_copy
from autograde.tests.commands import course_here
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, submit


def deep_notebook() -> bytes:
    return b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


BAD_FILES = {
    "empty": (b"", "not valid JSON"),
    "half": (b'{"cells": [', "not valid JSON"),
    "binary": (bytes(range(128, 256)), "not UTF-8 text"),
    "list": (b"[1, 2]", "JSON, but not a notebook"),
    "deep": (deep_notebook(), "nested too deeply"),
    "huge": (b" " * (21 << 20), "larger than 21 MB"),
}
ODD_NAMES = {"jos\udce9": "is not UTF-8; rename it", "\U0001d400" * 63: "has 252 bytes; rename it"}
"""of folders: from a platform of another encoding, and longer than a report's name may be"""
ANSWERS = {
    "good": "def scale(x, factor):\n    return x * factor",
    "no-function": "scaled = 1",
    "no-parameters": "def scale():\n    return 1",
    "one-parameter": "def scale(x):\n    return x",
    "a-number": "scale = 3",
}


@pytest.fixture(scope="module")
def graded(checked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, str]:
    """A class in which nearly everything is wrong, and what `course grade` said of it."""
    course = released_copy(checked_once, tmp_path_factory.mktemp("bad"))
    for student, (data, _) in BAD_FILES.items():
        submit(course, student, data)
    for student, answer in ANSWERS.items():
        submit(course, student, assemble(course.open(SLUG), {"scale": answer}))
    doubled = assemble(course.open(SLUG), {"scale": ANSWERS["good"]})
    doubled.cells.append(doubled.cells[2].copy())
    submit(course, "doubled", json.dumps(doubled))
    for name in ODD_NAMES:
        submit(course, name)
    source = course.open(SLUG).paths.source
    source.write_text(source.read_text() + "\n# %%\nbeing_edited = (\n")
    done = course_here(course, "grade", SLUG)
    assert done.returncode == 1
    return course, done.stderr


@pytest.mark.parametrize("student", BAD_FILES)
def test_bad_input_unreadable_file_is_named_with_the_reason(graded: tuple[Course, str], student: str) -> None:
    line = next(line for line in graded[1].splitlines() if line.startswith(f"{student}: not graded: "))
    assert BAD_FILES[student][1] in line


def reasons(graded: tuple[Course, str], student: str) -> list[str]:
    report = json.loads(graded[0].open(SLUG).paths.report(student).read_bytes())
    return [verdict["reason"] for exercise in report["exercises"] for verdict in exercise["verdicts"]]


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("no-function", "the notebook defines no `scale`"),
        ("no-parameters", "takes 0 positional arguments but 2 were given"),
        ("one-parameter", "takes 1 positional argument but 2 were given"),
        ("a-number", "`scale` is a int, not a function"),
    ],
)
def test_bad_input_wrong_signature_is_explained(graded: tuple[Course, str], student: str, said: str) -> None:
    assert all(said in reason for reason in reasons(graded, student))


def test_bad_input_does_not_stop_other_students(graded: tuple[Course, str]) -> None:
    assert reasons(graded, "good") == ["", ""]
    course = graded[0]
    assert {path.stem for path in course.open(SLUG).paths.reports.glob("*.json")} == {*ANSWERS, "doubled"}


def test_bad_input_unusable_folder_name_is_reported(graded: tuple[Course, str]) -> None:
    course, _ = graded
    for name, said in ODD_NAMES.items():
        with pytest.raises(SubmissionError, match=said):
            read_submitted(course.open(SLUG), name)
    again = course_here(course, "grade", SLUG, "--json")
    assert set(json.loads(again.stdout)["not_graded"]) == {*BAD_FILES, *ODD_NAMES}
    assert course_here(course, "report", SLUG).returncode == 0


def test_bad_input_duplicated_cell_costs_nothing_and_is_noted(graded: tuple[Course, str]) -> None:
    report = json.loads(graded[0].open(SLUG).paths.report("doubled").read_bytes())
    assert reasons(graded, "doubled") == ["", ""]
    assert any("scale" in problem["text"] for problem in report["problems"])


def test_bad_input_damaged_report_is_named_and_replaced(checked_once: Path, tmp_path: Path) -> None:
    course = released_copy(checked_once, tmp_path)
    report = course.open(SLUG).paths.report("ada")
    report.parent.mkdir(parents=True)
    report.write_bytes(b'{"schema": 2, "assig')
    for words in (["report", SLUG], ["report"]):
        done = course_here(course, *words)
        assert done.returncode == 2
        assert f"{report}: not a valid report (" in done.stderr
        assert f"run `course grade {SLUG}`" in done.stderr


@pytest.mark.parametrize("words", [["export"], ["report", SLUG], ["collect", SLUG, "in.zip"], ["grade", SLUG]])
def test_bad_input_file_that_is_no_gradebook_is_named(checked_once: Path, tmp_path: Path, words: list[str]) -> None:
    course = released_copy(checked_once, tmp_path)
    submit(course, "ada")
    write_report(make_report("ada"), course.open(SLUG).paths.report("ada"))
    with zipfile.ZipFile(course.root / "in.zip", "w") as archive:
        archive.writestr(f"ada_101_1_{SLUG}.ipynb", b"x")
    (course.root / "gradebook.db").write_bytes(b"a spreadsheet, perhaps" * 100)
    done = course_here(course, *words)
    assert done.returncode == 2
    assert f"error: {course.root / 'gradebook.db'}: " in done.stderr
    assert "file is not a database" in done.stderr
    assert done.stderr.count("\n") == 1


def test_bad_input_old_gradebook_is_named_with_the_command_to_run(checked_once: Path, tmp_path: Path) -> None:
    course = released_copy(checked_once, tmp_path)
    submit(course, "ada")
    with closing(sqlite3.connect(course.root / "gradebook.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '50a4d84c131a'")
    done = course_here(course, "grade", SLUG)
    assert done.returncode == 2
    assert "nbgrader db upgrade" in done.stderr

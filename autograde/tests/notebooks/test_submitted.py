"""No link in a hand-in is followed, whichever command reads it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autograde.course import Course
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.submitted import MAX_FILES, read_submitted
from autograde.records.gradebook import record
from autograde.tests.commands import nbgrader_command
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.tiny_course import SLUG, submit

Damage = Callable[[Course, Path], object]


def linked_file(course: Course, folder: Path) -> None:
    (folder / "extra.py").symlink_to(course.open(SLUG).paths.hidden_tests / "test_scale.py")


def linked_deep_file(course: Course, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "extra.py").symlink_to(course.open(SLUG).paths.hidden_tests / "test_scale.py")


def linked_subfolder(course: Course, folder: Path) -> None:
    (folder / "tests").symlink_to(course.open(SLUG).paths.hidden_tests)


def dangling_link(course: Course, folder: Path) -> None:
    (folder / "gone").symlink_to("nowhere")


def linked_notebook(course: Course, folder: Path) -> None:
    (folder / f"{SLUG}.ipynb").unlink()
    (folder / f"{SLUG}.ipynb").symlink_to(course.open(SLUG).paths.submitted("ann") / f"{SLUG}.ipynb")


def linked_assignment(course: Course, folder: Path) -> None:
    (folder / f"{SLUG}.ipynb").unlink()
    folder.rmdir()
    folder.symlink_to(course.open(SLUG).paths.submitted("ann"))


def linked_student(course: Course, folder: Path) -> None:
    linked_assignment(course, folder)
    folder.unlink()
    folder.parent.rmdir()
    folder.parent.symlink_to(course.open(SLUG).paths.submitted("ann").parent)


def pipe(course: Course, folder: Path) -> None:
    os.mkfifo(folder / "pipe")


DAMAGES = [
    linked_file, linked_deep_file, linked_subfolder, dangling_link, linked_notebook, linked_assignment, linked_student, pipe,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_submitted_refuses_a_link_and_keeps_nothing_of_it(
    released: Course, fake_grader: FakeGrader, damage: Damage
) -> None:
    submit(released, "ann")
    damage(released, submit(released, "bob").parent)
    errors = record(released.open(SLUG), ["ann", "bob"])
    assert set(errors) == {"bob"}
    assert "hand in" in errors["bob"]
    assert not released.open(SLUG).paths.autograded("bob").exists()
    assert str(released.root) not in errors["bob"]


def test_submitted_link_is_refused_by_stock_autograde(released: Course) -> None:
    submit(released, "ann")
    for damage in (linked_file, linked_assignment, linked_student):
        damage(released, submit(released, f"bob_{damage.__name__}").parent)
    done = nbgrader_command(released, "autograde", SLUG, "--student", "bob_*")
    assert done.returncode != 0
    assert done.stderr.count("SubmissionError: ") == 3, "one each"
    assert done.stderr.count("hand in") >= 3
    assert list(released.root.glob("autograded/*/*")) == []


def test_submitted_refuses_a_flood_of_files(released: Course) -> None:
    folder = submit(released, "bob").parent
    for number in range(MAX_FILES + 1):
        (folder / f"{number}.txt").touch()
    with pytest.raises(SubmissionError, match="files were handed in"):
        read_submitted(released.open(SLUG), "bob")


def test_gradebook_writer_needs_no_program_on_the_path(
    released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(released, "ann")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    from autograde.records import database

    database._schema.cache_clear()
    assert record(released.open(SLUG), ["ann"]) == {}


def test_submitted_names_a_file_of_another_name(released: Course) -> None:
    notebook = submit(released, "bob")
    notebook.rename(notebook.with_name("Scale (1).ipynb"))
    with pytest.raises(
        SubmissionError, match=rf"No file {SLUG}\.ipynb was handed in; in its place: 'Scale \(1\)\.ipynb'\."
    ):
        read_submitted(released.open(SLUG), "bob")

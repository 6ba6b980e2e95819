"""Files are written into submitted/ only, follow no link, and stop at nothing but the student whom they concern."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograde.course import Course
from autograde.tests.commands import nbgrader_command
from autograde.tests.lms_import.classroom import NOTEBOOK, SLUG, collect, pack, students, submitted

BOTH = {f"lovelaceada_101_9001_{SLUG}.ipynb": NOTEBOOK, f"obrienbob_102_2_{SLUG}.ipynb": NOTEBOOK}


def test_place_follows_no_link(course: Course, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "ada").symlink_to(outside)
    done = collect(course, BOTH)
    assert (done.returncode, list(outside.iterdir())) == (1, [])
    assert "ada: " in done.stderr
    assert "is a link" in done.stderr
    assert f"bob/{SLUG}/{SLUG}.ipynb" in submitted(course)


def test_place_file_instead_of_a_folder_stops_only_that_student(course: Course) -> None:
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "ada").write_text("a file")
    done = collect(course, BOTH)
    assert (done.returncode, "new: bob" in done.stdout) == (1, True)
    assert "move it" in done.stderr


def test_rename_follows_no_link(course: Course, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A folder of an earlier id that is a link is left alone."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / SLUG).mkdir()
    (course.root / "submitted").mkdir()
    (course.root / "submitted" / "101").symlink_to(outside)
    done = collect(course, BOTH)
    assert (done.returncode, (outside / SLUG).is_dir()) == (0, True)


@pytest.mark.parametrize("known", [True, False])
def test_zip_collect_of_nbgrader_uses_the_same_reader(course: Course, known: bool) -> None:
    archive = course.root / "downloaded" / SLUG / "archive"
    archive.mkdir(parents=True)
    stranger = {} if known else {f"stranger_777_1_{SLUG}.ipynb": b"?"}
    pack(archive / "in.zip", BOTH | stranger | {"../evil.ipynb": b"x"})
    done = nbgrader_command(course, "zip_collect", SLUG)
    assert done.returncode == 0, done.stderr
    assert "'../evil.ipynb' would be written outside its folder." in done.stderr
    assert ("stranger (777): not in the roster" in done.stderr) == (not known)
    assert students(course) == ["ada", "bob"]
    assert not (Path(course.root).parent / "evil.ipynb").exists()

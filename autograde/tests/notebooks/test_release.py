"""Releasing: what reaches students, what must not, and how the instructor's mistakes are named."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from autograde.course import Course, CourseError
from autograde.notebooks.extract import submission_from_notebook
from autograde.notebooks.release import assemble, draft, read_points, read_program, release
from autograde.notebooks.stage import stage, stage_if_stale
from autograde.tests.edits import replace_once
from autograde.tests.tiny_course import SLUG, SOURCE, header, make_course, source_text


def write(course: Course, text: str) -> None:
    course.open(SLUG).paths.source.write_text(text)


def test_release_contains_notebook_and_data_and_no_secret(released: Course) -> None:
    folder = released.open(SLUG).paths.release
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == [f"{SLUG}.ipynb", "data/numbers.txt"]
    text = (folder / f"{SLUG}.ipynb").read_text()
    assert "NotImplementedError" in text
    assert not re.search("product_of_both|naming linearity|linear map|6.789|BEGIN", text)
    assert (released.root / "gradebook.db").exists()


def test_release_twice_gives_the_same_bytes(released: Course) -> None:
    notebook = released.open(SLUG).paths.released_notebook
    before = notebook.read_bytes()
    release([released.open(SLUG)])
    assert notebook.read_bytes() == before
    assert [cell.id for cell in nbformat.read(notebook, 4).cells][-2:] == ["cell-05", "why"]


def test_release_that_is_killed_leaves_the_previous_one(released: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    folder = released.open(SLUG).paths.release
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with monkeypatch.context() as patch:
        patch.setattr("autograde.disk.os.replace", killed)
        with pytest.raises(KeyboardInterrupt):
            release([released.open(SLUG)])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    release([released.open(SLUG)])
    assert list((released.root / "build" / "release").iterdir()) == []


def test_stage_waits_for_other_commands(tiny_course: Course) -> None:
    source = tiny_course.open(SLUG).paths.source
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(1, 6):
            later = source.stat().st_mtime + round_
            os.utime(source, (later, later))
            list(threads.map(lambda _: stage_if_stale(tiny_course.open(SLUG)), range(8)))
            assert (tiny_course.stage / SLUG / f"{SLUG}.ipynb").exists()
            assert (tiny_course.stage / SLUG / "data" / "numbers.txt").exists()


@pytest.mark.parametrize(("name", "refused"), [("Kurs für José (2027) 50% #1 & o'b", False), ("[Bonn] 2027", True)])
def test_release_works_below_any_folder_that_nbgrader_can_read(tmp_path: Path, name: str, refused: bool) -> None:
    course = make_course(tmp_path / name)
    if refused:
        with pytest.raises(CourseError, match="rename the folder"):
            draft(course.open(SLUG))
    else:
        assert draft(course.open(SLUG)).exists()


def test_release_takes_points_from_the_source(tiny_course: Course) -> None:
    assert read_points(tiny_course.open(SLUG)) == {"scale": 4.0}


def test_stage_never_contains_the_source(tiny_course: Course) -> None:
    staged = stage(tiny_course.open(SLUG))
    assert [path.name for path in staged.parent.rglob("*.py")] == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    ### END SOLUTION\n", "", r"a01_scale.py:11: BEGIN SOLUTION without END"),
        ("    ### BEGIN SOLUTION\n", "", r":13: END SOLUTION without BEGIN"),
        ("    ### END SOLUTION\n", "    ### BEGIN SOLUTION\n    ### END SOLUTION\n", "inside the SOLUTION"),
        ('"grade_id": "imports"', '"grade_id": "intro"', r":5: cell 'intro': the cell on line 1 has the same grade_id"),
        (
            '"grade_id": "scale", "locked": false, "schema_version": 3',
            '"grade_id": "scale", "locked": false',
            "lacks schema_version",
        ),
        ("import math", "import math as", r":6: cell 'imports': it is not valid Python"),
        ('"scale-checks"', '"double-checks"', r"it has no hidden test; write .*test_double.py"),
        ('"points": 4', '"points": -4', "a number that is not negative, not -4"),
        ('"grade": true, "grade_id": "why"', '"grade": false, "grade_id": "why"', "written answer"),
        ("return product_of_both", "return product_of_both )", r":13: cell 'scale': it is not valid Python"),
    ],
)
def test_source_mistakes_are_named_with_file_line_and_cell(tiny_course: Course, old: str, new: str, words: str) -> None:
    write(tiny_course, replace_once(SOURCE, old, new))
    with pytest.raises(CourseError, match=words):
        stage(tiny_course.open(SLUG))


def test_release_refuses_a_hidden_test_without_a_cell(tiny_course: Course) -> None:
    (tiny_course.open(SLUG).paths.hidden_tests / "test_other.py").write_text("")
    with pytest.raises(CourseError, match="no cell 'other-checks'"):
        stage(tiny_course.open(SLUG))


def test_release_refuses_missing_data_and_unknown_slugs(tiny_course: Course) -> None:
    (tiny_course.root / "source" / "data" / "numbers.txt").unlink()
    with pytest.raises(CourseError, match=r"data file 'numbers.txt' is not in"):
        stage(tiny_course.open(SLUG))
    with pytest.raises(CourseError, match="did you mean a01_scale"):
        stage(tiny_course.open("a01_scal"))


@pytest.mark.parametrize(
    "secret", ["product_of_both = x * factor", "assert student.scale(1234.5, 6.789) == 1234.5 * 6.789"]
)
def test_leaks_stop_the_release(tiny_course: Course, secret: str) -> None:
    (tiny_course.root / "source" / "data" / "numbers.txt").write_text(f"1\n{secret}\n")
    with pytest.raises(CourseError, match=r"not released: data/numbers.txt contains a line of"):
        release([tiny_course.open(SLUG)])
    assert not tiny_course.open(SLUG).paths.release.exists()


def test_leaks_include_a_hidden_test_in_the_source(tiny_course: Course) -> None:
    write(tiny_course, source_text(example="assert student.scale(1234.5, 6.789) == 1234.5 * 6.789"))
    with pytest.raises(CourseError, match="not released"):
        draft(tiny_course.open(SLUG))


def test_release_that_fails_leaves_the_old_one(released: Course) -> None:
    before = released.open(SLUG).paths.released_notebook.read_bytes()
    write(released, replace_once(SOURCE, "    ### END SOLUTION\n", ""))
    with pytest.raises(CourseError):
        release([released.open(SLUG)])
    assert released.open(SLUG).paths.released_notebook.read_bytes() == before


def test_assemble_makes_submissions_that_need_no_repair(released: Course) -> None:
    right = assemble(released.open(SLUG), {})
    assert "product_of_both" in right.cells[2].source
    assert "SOLUTION" not in right.cells[2].source
    wrong = assemble(released.open(SLUG), {"scale": "def scale(x, factor): return x"})
    submission = submission_from_notebook(wrong, released.open(SLUG).paths.released_notebook, "wrong", SLUG)
    assert ("scale", "def scale(x, factor): return x") in submission.cells
    with pytest.raises(CourseError, match="no answer cell 'scal'; did you mean scale"):
        assemble(released.open(SLUG), {"scal": ""})


def test_assemble_reads_programs_by_cell(tmp_path: Path) -> None:
    path = tmp_path / "adds.py"
    path.write_text(
        '"""Adds."""\n\n# %% scale\ndef scale(x, factor):\n    return x + factor\n\n# %% [markdown] why\n# Just so.\n'
    )
    assert read_program(path) == ("Adds.", {"scale": "def scale(x, factor):\n    return x + factor", "why": "Just so."})
    path.write_text("# %% scale\npass\n")
    with pytest.raises(CourseError, match="begin with a docstring"):
        read_program(path)


def test_source_task_needs_points(tiny_course: Course) -> None:
    task = f"\n# %% [markdown] nbgrader={header(grade_id='task', task=True)}\n# Draw it.\n"
    write(tiny_course, source_text(experiments=task))
    with pytest.raises(CourseError, match="cell 'task': a graded cell needs points"):
        stage(tiny_course.open(SLUG))

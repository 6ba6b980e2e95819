"""What `course grade` records is what `nbgrader autograde` would, byte for byte, with one commit for each student."""

from __future__ import annotations

import copy
import errno
import json
import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import event
from sqlalchemy.engine import Engine
from traitlets.config import Config

from autograde.course import Course
from autograde.notebooks.nbgrader_settings import configure
from autograde.records.gradebook import record
from autograde.report import CellRun
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, make_copied_and_cut, submit

ON_TIME, LATE = "2027-01-31 12:00:00.0 UTC", "2027-02-03 12:00:00.0 UTC"
ODD = [{"output_type": "stream", "name": "stdout", "text": "<b>\x1b[1mé\r\n\x85"}, {"output_type": "bomb"}]
WHEN = (ON_TIME, LATE, "")
DAMAGED = 12


def stock(course: Course) -> None:
    """What `nbgrader autograde --force` does with our settings, in this process."""
    logging.disable(logging.CRITICAL)
    try:
        with chdir(course.root):
            config = Config()
            configure(config, course)
            config.CourseDirectory.assignment_id = SLUG
            converter = Autograde(coursedir=CourseDirectory(config=config), config=config)
            converter.force = True
            converter.start()
    except Exception as error:
        assert "the specific errors" in str(error), error  # how it says that a student was left out
    finally:
        logging.disable(logging.NOTSET)


def ours(course: Course) -> None:
    record(course.open(SLUG), sorted(path.name for path in (course.root / "submitted").iterdir()))


def answered(course: Course, why: str, **more: str) -> Any:
    notebook = nbformat.read(course.open(SLUG).paths.released_notebook, 4)
    notebook.cells[-1]["source"] = why
    notebook.cells[-2]["source"] = more.get("notes", "Mine.")
    return notebook


def damaged(release: Any, draw: random.Random) -> bytes:
    """The release's cells in any order and number, most of them changed."""
    cells = [copy.deepcopy(cell) for cell in draw.choices(release.cells, k=draw.randint(0, 9))]
    for cell in cells:
        metadata = cell.metadata.get("nbgrader", {})
        for damage in draw.sample(("source", "metadata", "id", "type", "points", "name", "solution"), 2):
            if damage == "source":
                cell["source"] = draw.choice(("", "print('mine')", "<b>mine</b> $x$", "\u2028\x85\r\n"))
            elif damage == "metadata":
                cell["metadata"] = {"collapsed": True, "nbgrader": {"grade": "yes", "extra": [1]}}
            elif damage in ("id", "type"):
                cell["id" if damage == "id" else "cell_type"] = draw.choice(("another", "markdown", "code", "scale", 3))
            elif metadata:
                metadata[{"name": "grade_id"}.get(damage, damage)] = draw.choice(("scale", 1000, True, "why"))
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"x": 1}, "cells": cells}).encode()


def submit_everything(course: Course, grading: FakeGrader) -> None:
    """Untouched, damaged, late, odd and unreadable work, and what may lie beside it."""
    release = nbformat.read(course.open(SLUG).paths.released_notebook, 4)
    copied, cut = make_copied_and_cut(course)
    submit(course, "untouched", when=ON_TIME)
    submit(course, "copied", copied, when=LATE)
    submit(course, "cut", cut, when="")
    submit(course, "answered", answered(course, "Because <script>alert(1)</script> ![x](http://y)"), when=LATE)
    submit(course, "extended", answered(course, "Linear."), when=LATE)
    submit(course, "cut-short", b'{"cells": [', when=ON_TIME)
    submit(course, "no-time", when=" \n")
    others = submit(course, "others", answered(course, "x" * 5000, notes="é\u2028\u0085\r"), when=ON_TIME).parent
    (others / "mine" / "deep").mkdir(parents=True)
    (others / f"{SLUG}.ipynb.tmp").mkdir()
    (others / "feedback").mkdir()
    for name in ("mine/deep/a.txt", "numbers.txt", "x.pyc", f"{SLUG}.ipynb.tmp/b", "other.ipynb", "feedback/c"):
        (others / name).write_text(name)
    for seed in range(DAMAGED):
        submit(course, f"damaged-{seed}", damaged(release, random.Random(seed)), when=random.Random(seed).choice(WHEN))
    for number, path in enumerate(sorted((course.root / "submitted").iterdir())):
        cells = [CellRun(cell="scale", outputs=copy.deepcopy(ODD))] if number % 3 else []
        grading.reports[path.name] = make_report(points=(number % 5) * 1.0, cells=cells)


def touch_up(course: Course) -> None:
    """A person marks and grants an extension; some submit again, with fewer other files than before."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        gradebook.find_grade("scale-checks", SLUG, SLUG, "copied").extra_credit = 1.5
        mark = gradebook.find_grade("why", SLUG, SLUG, "answered")
        mark.manual_score, mark.needs_manual_grade = 1.0, False
        gradebook.find_comment("why", SLUG, SLUG, "answered").manual_comment = "Well said."
        gradebook.db.commit()
        gradebook.grant_extension(SLUG, "answered", hours=30)
    others = course.open(SLUG).paths.submitted("others")
    shutil.rmtree(others / "mine")
    (others / "mine").write_text("now a file")
    submit(course, "answered", answered(course, ""), when=LATE)
    (course.open(SLUG).paths.submitted("copied") / "timestamp.txt").unlink()


def left(course: Course) -> dict[str, Any]:
    """student -> what is in autograded/, with permissions, and every value in the gradebook that is no random id.

    Only of those with a notebook: nbgrader enters every student who submits something, before it has read that.
    """
    folder = course.root / "autograded"
    found: dict[str, Any] = {}
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for one in gradebook.assignment_submissions(SLUG):
            if not (folder / one.student.id / SLUG / f"{SLUG}.ipynb").exists():
                continue
            files = {
                str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else None)
                for path in (folder / one.student.id).rglob("*")
            }
            (book,) = one.notebooks
            grades = [(g.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade) for g in book.grades]
            comments = [(c.name, c.auto_comment, c.manual_comment) for c in book.comments]
            dates = (one.duedate, one.timestamp, one.total_seconds_late, book.late_submission_penalty, book.flagged)
            found[one.student.id] = (files, dates, sorted(grades), sorted(comments))
    return found


def recorded(released: Course, root: Path, way: Callable[[Course], None]) -> Iterator[dict[str, Any]]:
    """What is left by this way after a first recording, and after a second."""
    shutil.copytree(released.root, root)
    course = replace(released, root=root)
    way(course)
    yield left(course)
    touch_up(course)
    way(course)
    yield left(course)


@pytest.mark.filterwarnings("ignore:Object of type")  # SQLAlchemy 2.1's remark on how nbgrader makes a submission
def test_gradebook_writer_leaves_the_same_as_stock_nbgrader(
    released: Course, fake_grader: FakeGrader, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ways")
    due = replace(released.assignments[0], extensions={"extended": "2027-02-04 23:59"})
    course = replace(released, assignments=[due])
    submit_everything(course, fake_grader)
    both = zip(recorded(course, folder / "stock", stock), recorded(course, folder / "ours", ours), strict=True)
    for theirs, mine in both:
        assert mine.keys() == theirs.keys()
        for student in theirs:
            assert mine[student] == theirs[student], student
        assert len(mine) > DAMAGED
    late = {student: dates[2] > 0 for student, (_, dates, _, _) in theirs.items()}
    assert (late["answered"], late["extended"]) == (True, False)
    assert theirs["answered"][1][3] > 0


@contextmanager
def overheard() -> Iterator[list[str]]:
    """What is said to any database meanwhile."""
    said: list[str] = []
    listeners = {"before_cursor_execute": lambda *of: said.append(of[2]), "commit": lambda *_: said.append("COMMIT")}
    for name, listener in listeners.items():
        event.listen(Engine, name, listener)
    yield said
    for name, listener in listeners.items():
        event.remove(Engine, name, listener)


def test_gradebook_writer_sends_few_queries_and_only_changes(released: Course, fake_grader: FakeGrader) -> None:
    students = ["ann", "bob", "cyd", "dee"]
    for student in students:
        submit(released, student, answered(released, "Linear."), when=ON_TIME)
    assert record(released.open(SLUG), students) == {}
    with overheard() as of_one:
        record(released.open(SLUG), students[:1])
    with overheard() as of_all:
        record(released.open(SLUG), students)
    assert not [text for text in of_all if text.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert (len(of_all) - len(of_one)) / 3 <= 4, "the entry, its grades, its comments, a commit"


def test_gradebook_writer_records_nothing_of_an_unwritable_notebook(
    released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(released, "ann")
    fake_grader.reports["ann"] = make_report(points=1.0)
    assert record(released.open(SLUG), ["ann"]) == {}
    before = left(released)
    released.open(SLUG).paths.report("ann").unlink()
    fake_grader.reports["ann"] = make_report(points=3.0)

    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "autograded" in path.parts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert "free some space" in record(released.open(SLUG), ["ann"])["ann"]
    assert left(released) == before
    assert record(released.open(SLUG), ["ann"]) == {}
    assert left(released)["ann"][2][0][1] == 3.0

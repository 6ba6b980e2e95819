"""The gradebook on a real PostgreSQL server that the test starts itself: several graders write at once."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograde.course import Assignment, Course, CourseError
from autograde.notebooks.release import assemble, release
from autograde.records.database import check_gradebook, gradebook_name
from autograde.reports.exporters import query_grades
from autograde.tests.checked_course import make_checked_course
from autograde.tests.commands import course_here
from autograde.tests.config_file import write_config
from autograde.tests.edits import replace_once
from autograde.tests.machine import postgres_programs
from autograde.tests.tiny_course import SLUG, submit

pytestmark = [pytest.mark.long, pytest.mark.needs("psycopg"), pytest.mark.machine("PostgreSQL")]
OTHER = "a02_scale"
ADDS = "def scale(x, factor):\n    return x + factor"
NUMBERS = count()
"""for the names of databases"""


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    """The folder of a server that listens on a socket file there and nowhere else."""
    where, root = postgres_programs(), os.getuid() == 0
    assert where
    folder = Path(tempfile.mkdtemp(prefix="course-pg-", dir="/tmp"))  # a socket's path may have 107 characters only
    account = {"user": "nobody"} if root else {}
    if root:
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    data = folder / "data"
    initdb = [str(where / "initdb"), "-D", str(data), "-U", "grader", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd=folder, **account)  # type: ignore[call-overload]
    quick = [
        word
        for setting in ("fsync=off", "listen_addresses=", f"unix_socket_directories={folder}")
        for word in ("-c", setting)
    ]
    process = subprocess.Popen(  # type: ignore[call-overload]
        [str(where / "postgres"), "-D", str(data), *quick],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account,
    )  # fmt: skip
    try:
        ready = [str(where / "pg_isready"), "-h", str(folder), "-q"]
        deadline = time.monotonic() + 60
        while subprocess.run(ready).returncode and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.1)
        yield folder
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder)


@pytest.fixture
def database(server: Path, tmp_path: Path) -> str:
    """The address of an empty database for one test."""
    where, name = postgres_programs(), f"course{next(NUMBERS)}"
    assert where
    subprocess.run([str(where / "createdb"), "-h", str(server), "-U", "grader", name], check=True, cwd=tmp_path)
    return f"postgresql+psycopg://grader:s3cret@/{name}?host={server}"


@pytest.fixture
def course(database: str, tmp_path: Path) -> Course:
    """Two assignments, released into the server's gradebook; four students submitted both."""
    made = make_checked_course(tmp_path / "course")
    shutil.copy(made.open(SLUG).paths.source, made.root / "source" / f"{OTHER}.py")
    shutil.copytree(made.open(SLUG).paths.hidden_tests, made.root / "hidden_tests" / OTHER)
    second = Assignment(OTHER, title="Scale again", due="2027-02-07 23:59")
    made = write_config(replace(made, assignments=[*made.assignments, second], db_url=database))
    with pytest.raises(CourseError, match="no gradebook yet"):
        check_gradebook(made.open(SLUG))
    release([made.open(SLUG), made.open(OTHER)])
    for slug in (SLUG, OTHER):
        for student in ("ada", "bob", "cy", "dee"):
            answers = {"why": "Because."} | ({"scale": ADDS} if student in ("bob", "dee") else {})
            notebook = assemble(made.open(slug), answers)
            folder = made.open(slug).paths.submitted(student)
            folder.mkdir(parents=True)
            (folder / f"{slug}.ipynb").write_bytes(submit(made, "spare", notebook).read_bytes())
    shutil.rmtree(made.root / "submitted" / "spare")
    return made


def mark(course: Course, student: str, score: float) -> None:
    """Mark the written answer by hand, as formgrader does."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, student)
        grade.manual_score, grade.needs_manual_grade = score, False
        gradebook.db.commit()


def test_postgres_gradebook_serves_several_graders_at_once(course: Course) -> None:
    """Two runs of one assignment, one of another, and a person who marks meanwhile."""
    assert course_here(course, "grade", SLUG, "--student", "ada").returncode == 0
    engine = str(Path(__file__).parents[3])
    command = [sys.executable, "-m", "autograde.cli", "grade"]
    runs = [
        subprocess.Popen(
            [*command, *words], cwd=course.root, env=os.environ | {"PYTHONPATH": engine},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for words in ([SLUG, "--student", "bob", "--student", "cy"], [SLUG, "--student", "dee"], [OTHER])
    ]  # fmt: skip
    mark(course, "ada", 1.5)
    for run in runs:
        said, _ = run.communicate(timeout=300)
        assert run.returncode == 0, said
    assert not (course.root / "gradebook.db").exists()
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        found = {key: result.raw_score for key, result in query_grades(gradebook).results.items()}
    assert found == {
        (slug, student): (4.0 if student in ("ada", "cy") else 0.0) + (1.5 if (slug, student) == (SLUG, "ada") else 0)
        for slug in (SLUG, OTHER)
        for student in ("ada", "bob", "cy", "dee")
    }


def test_postgres_gradebook_keeps_marks_and_feedback_and_export_work(course: Course) -> None:
    assert course_here(course, "grade", SLUG).returncode == 0
    assert course_here(course, "grade", OTHER).returncode == 0
    mark(course, "ada", 1.5)
    for words in (["grade", SLUG, "--force"], ["feedback", SLUG], ["report", SLUG], ["export", "--for", "canvas"]):
        done = course_here(course, *words)
        assert done.returncode == 0, done.stderr
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, "ada")
        assert (grade.manual_score, grade.needs_manual_grade) == (1.5, False)
    assert len(list(course.root.glob("feedback/*/*/*.html"))) == 4
    assert "ada,,,ada,,5.5,4" in (course.root / "grades.csv").read_text()


def test_postgres_mistakes_are_one_sentence_without_the_password(course: Course) -> None:
    for url, said in (
        (replace_once(course.db_url, "host=/tmp/", "host=/gone/"), "cannot be used"),
        ("postgresql+nodriver://grader@/x", "not a database address"),
        ("nonsense", "not a database address"),
    ):
        with pytest.raises(CourseError, match=said) as raised:
            check_gradebook(replace(course, db_url=url).open(SLUG))
        assert "s3cret" not in str(raised.value)
        assert "\n" not in str(raised.value)
    assert "s3cret" not in gradebook_name(course)
    with pytest.raises(CourseError, match="does not know"):
        check_gradebook(replace(course, assignments=[replace(course.assignments[0], slug="new_one")]).open("new_one"))

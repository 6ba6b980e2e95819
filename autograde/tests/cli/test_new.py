"""`course new` writes an assignment that verifies and releases as it is, and never spoils a course."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from autograde.cli.new import write_assignment
from autograde.course import Course, CourseError, load_course
from autograde.tests.checked_course import make_checked_course
from autograde.tests.commands import ROOT, Done, course_here
from autograde.tests.tiny_course import SLUG


def course_elsewhere(course: Course, *words: str) -> Done:
    """`course ...` where only the engine is installed, as for a user: this project's own course is out of reach."""
    (course.root / "engine").mkdir()
    (course.root / "engine" / "autograde").symlink_to(ROOT / "autograde")
    environment = {"PYTHONPATH": str(course.root / "engine"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "autograde.cli", *words]
    return subprocess.run(command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return make_checked_course(tmp_path)


def test_new_assignment_is_sound_and_can_be_released(course: Course) -> None:
    made = course_here(course, "new", "centred", "--title", "Centring")
    assert (made.returncode, made.stderr) == (0, "")
    assert "course verify centred" in made.stdout
    assert load_course(course.root).slugs == [SLUG, "centred"]
    assert load_course(course.root).open("centred").assignment.title == "Centring"
    found = json.loads(course_elsewhere(course, "verify", "centred", "--json").stdout)[0]
    assert (found["sound"], found["problems"], found["redundant"], found["right"]) == (True, [], [], ["sums"])
    assert course_here(load_course(course.root), "release", "centred").returncode == 0


@pytest.mark.parametrize(
    ("config", "slugs"),
    [
        ("C(name='t', assignments=[\n    A('one', title='1'),\n])", ["one", "x"]),
        (
            "C(name='t', assignments=[\n    A('one', title='1'),  # the first\n    A('two', title='2')\n])",
            ["one", "two", "x"],
        ),
        ("C('t', [A('one', title='é')])", None),
        ("C(name='t', assignments=[],)", ["x"]),
        ("C(name='t', assignments=[  # none yet\n])", None),
        ("C(name='t', assignments=[A(s, title=s) for s in ('one', 'two')])", None),
    ],
)
def test_new_adds_a_line_to_the_config_or_leaves_it_alone(tmp_path: Path, config: str, slugs: list[str] | None) -> None:
    file = tmp_path / "course_config.py"
    text = config.replace("C(", "Course(").replace("A(", "Assignment(")
    file.write_text(f"from autograde.course import Assignment, Course\nCOURSE = {text}\n")
    before = file.read_text()
    if slugs is None:
        with pytest.raises(CourseError, match='add to it: Assignment\\("x", title="X"\\),'):
            write_assignment(load_course(tmp_path), "x", "X")
        assert file.read_text() == before
        assert not (tmp_path / "source").exists()
    else:
        write_assignment(load_course(tmp_path), "x", "X")
        assert load_course(tmp_path).slugs == slugs


@pytest.mark.parametrize(
    ("slug", "title", "said"),
    [
        ("Bad-slug", "T", "lower-case letters"),
        ("../up", "T", "lower-case letters"),
        ("lambda", "T", "no keyword of Python"),
        ("term", "T", "the term's page"),
        (SLUG, "T", "already lists"),
        ("fine", "two\u2028lines", "one line"),
        ("fine", "two\rlines", "one line"),
        ("tests", "T", "exists already"),
        ("fine", 'a "quoted" title', "without double quotes"),
    ],
)
def test_new_reports_what_it_cannot_make(course: Course, slug: str, title: str, said: str) -> None:
    (course.root / "reference_impl" / "tests").mkdir(parents=True)
    with pytest.raises(CourseError, match=said):
        write_assignment(course, slug, title)


def test_new_in_an_empty_folder_starts_a_course(tmp_path: Path) -> None:
    """The first assignment brings the two configurations; a second one is added to the same course."""
    root = tmp_path / 'my "course"'
    root.mkdir()
    (root / ".git").mkdir()
    folder = Course(name="any", assignments=[], root=root)
    assert course_here(folder, "new", "centred", "--title", "Centring").returncode == 0
    assert course_here(folder, "new", "scaled", "--title", "Scaling").returncode == 0
    course = load_course(root)
    assert (course.name, course.slugs) == ('my "course"', ["centred", "scaled"])
    assert (root / "nbgrader_config.py").read_bytes() == (ROOT / "nbgrader_config.py").read_bytes()


@pytest.mark.parametrize(("file", "slug", "said"), [("notes.txt", "fine", "no course_config.py"), ("", "Bad", "slug")])
def test_new_starts_no_course_by_mistake(tmp_path: Path, file: str, slug: str, said: str) -> None:
    """Neither among other files nor for a slug that cannot be used."""
    if file:
        (tmp_path / file).touch()
    done = course_here(Course(name="any", assignments=[], root=tmp_path), "new", slug, "--title", "T")
    assert (done.returncode, said in done.stderr) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ([file] if file else [])


def test_new_overwrites_no_file(course: Course) -> None:
    (course.root / "reference_impl").mkdir()
    mine = course.root / "reference_impl" / "fine.py"
    mine.write_text("# mine\n")
    with pytest.raises(CourseError, match="exists already"):
        write_assignment(course, "fine", "Fine")
    assert mine.read_text() == "# mine\n"
    assert load_course(course.root).slugs == [SLUG]

"""The demo runs in any course folder, writes every page and export, and says where each is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from bs4 import BeautifulSoup

from autograde.cli.demo import MARKER, list_pages
from autograde.cli.new import write_assignment
from autograde.course import Assignment, Course, Limits, load_course
from autograde.demo.course_copy import copy_course
from autograde.demo.simulated_class import submit_class
from autograde.notebooks.submitted import list_submitters
from autograde.tests.checked_course import make_checked_course
from autograde.tests.commands import ROOT, course_here
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, SOURCE, make_course

PROSE = SOURCE.index("# %% nbgrader")
WRITTEN_ANSWER = SOURCE.index("# %% [markdown]\n")


def written(slug: str) -> list[str]:
    """The files of a demo whose first assignment is `slug`."""
    pages = [f"verified/{slug}.html", f"reports/{slug}.html", f"reports/{slug}-changes.html", "reports/term.html"]
    tables = [f"reports/{slug}{name}.csv" for name in ("", "-checks", "-misconceptions", "-changes")]
    for_programs = [f"verified/{slug}.json", "reports/term.csv", "gradings.jsonl", "results.json", "junit.xml"]
    exports = ["grades-canvas.csv", "grades-moodle.csv"]
    return [*pages, *tables, *for_programs, *exports, f"feedback/half-done/{slug}/{slug}.html"]


def dead_links(root: Path) -> list[str]:
    """Links between the staff's pages and to feedback that lead nowhere."""
    dead = []
    for page in (*root.glob("reports/*.html"), *root.glob("verified/*.html")):
        for link in BeautifulSoup(page.read_text(), "html.parser").find_all("a", href=True):
            target = unquote(link["href"])
            if not target.startswith(("http", "#")) and not (page.parent / target).exists():
                dead.append(f"{page.name}: {target}")
    return dead


def make_complete_course(root: Path) -> str:
    """Two assignments, wrong programs, a written answer, a deadline, nbgrader's configuration and a gradebook's address."""
    course = make_checked_course(root)
    limits = Limits(check_cpu_s=1, cell_wall_s=2)
    course = write_config(replace(course, limits=limits, db_url="sqlite:////nowhere/real.db"))
    write_assignment(course, "centred", "Centring")
    return SLUG


def make_bare_course(root: Path) -> str:
    """One exercise with one check: no wrong program, no written answer, no data, no reference, no deadline."""
    (root / "source").mkdir()
    (root / "source" / "scale.py").write_text(SOURCE[PROSE:WRITTEN_ANSWER])
    tests = root / "hidden_tests" / "scale"
    tests.mkdir(parents=True)
    (tests / "test_scale.py").write_text(HIDDEN_CHECK)
    write_config(Course("bare", [Assignment("scale", title="Scale")], limits=Limits(cell_wall_s=2), root=root))
    return "scale"


HIDDEN_CHECK = '''"""Hidden checks of scale."""

from hypothesis import given

from autograde.testing import Oracle, check, tensors

oracle = Oracle(lambda x, factor: x * factor)


@check(points=4)
@given(tensors((3,)), tensors((3,)))
def test_products(student, x, factor):
    """every entry is scaled by its factor"""
    oracle.compare(student.scale(x, factor), x, factor)
'''


@pytest.mark.long
@pytest.mark.parametrize("make", [make_complete_course, make_bare_course])
def test_demo_writes_every_page_and_says_where(tmp_path: Path, make: Callable[[Path], str]) -> None:
    """The real command, where only the engine is installed: this repository's course and tools are out of reach."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "autograde").symlink_to(ROOT / "autograde")
    root = tmp_path / "course"
    root.mkdir()
    slug = make(root)
    done = subprocess.run(
        [sys.executable, "-m", "autograde.cli", "demo", slug, "--wrong", "1"],
        cwd=root,
        env={"PYTHONPATH": str(tmp_path / "engine"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = root / "demo"
    assert [name for name in written(slug) if not (made / name).is_file()] == []
    for pages in list_pages(load_course(made).open(slug)).values():
        for page in pages:
            assert (made / page).is_file()
            assert page in done.stdout
    assert dead_links(made) == []
    class_page = (made / "reports" / f"{slug}.html").read_text()
    assert "1 student would see other points than before" in class_page
    assert ("Formgrader" in done.stdout) == (root / "nbgrader_config.py").exists()


def test_copy_course_never_shares_the_gradebook(tmp_path: Path) -> None:
    """A simulated class in the real gradebook would be a disaster."""
    root = tmp_path / "course"
    make_complete_course(root)
    (root / "submitted").mkdir()
    course = copy_course(load_course(root), tmp_path / "copy")
    assert load_course(root).db_url
    assert course.gradebook_url == f"sqlite:///{tmp_path / 'copy' / 'gradebook.db'}"
    names = {path.name for path in course.root.iterdir()}
    assert names == {"course_config.py", "nbgrader_config.py", "source", "hidden_tests", "reference_impl"}


def test_submit_class_submits_only_what_the_assignment_has(tmp_path: Path) -> None:
    """Right and wrong programs, answers to break and due dates are all optional."""
    (tmp_path / "bare").mkdir()
    slug = make_bare_course(tmp_path / "bare")
    course = load_course(tmp_path / "bare")
    submit_class(course.open(slug), wrong=8)
    kinds = ["crash", "damaged-metadata", "endless-loop", "half-done", "late", "missing-notebook", "syntax-error"]
    assert list_submitters(course.open(slug)) == [*kinds, "untouched"]
    (half_done,) = course.open(slug).paths.submitted("half-done").iterdir()
    assert "NotImplementedError" in half_done.read_text()
    assert {cell.metadata.nbgrader.points for cell in read(course, slug, "damaged-metadata").cells} == {1000}


def test_submit_class_breaks_no_answer_where_none_is_code(tmp_path: Path) -> None:
    """An assignment may consist of written answers alone."""
    course = make_course(tmp_path)
    course.open(SLUG).paths.source.write_text(SOURCE[:PROSE] + SOURCE[WRITTEN_ANSWER:])
    (course.open(SLUG).paths.hidden_tests / "test_scale.py").unlink()
    submit_class(course.open(SLUG), wrong=8)
    expected = ["damaged-metadata", "half-done", "late", "missing-notebook", "untouched"]
    assert list_submitters(course.open(SLUG)) == expected


def read(course: Course, slug: str, student: str) -> nbformat.NotebookNode:
    return nbformat.read(course.open(slug).paths.submitted(student) / f"{slug}.ipynb", as_version=4)


@pytest.mark.parametrize(
    ("into", "said"),
    [
        ("mine", "exists and is not a demo"),
        ("../course", "contains the course itself"),
        ("..", "exists and is not a demo"),
        ("source/demo", "inside"),
    ],
)
def test_demo_replaces_nothing_but_a_demo(tmp_path: Path, into: str, said: str) -> None:
    root = tmp_path / "course"
    course = make_checked_course(root)
    (root / "mine").mkdir()
    (root / "mine" / "thesis.txt").write_text("years of work")
    (root / MARKER).touch()
    before = sorted(root.rglob("*"))
    done = course_here(course, "demo", SLUG, "--into", into)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "name another folder" in done.stderr
    assert sorted(root.rglob("*")) == before


def test_demo_needs_an_assignment(tmp_path: Path) -> None:
    done = course_here(write_config(Course("empty", [], root=tmp_path)), "demo")
    assert (done.returncode, done.stderr) == (
        2,
        "error: course_config.py lists no assignment; write one with `course new`\n",
    )
    assert not (tmp_path / "demo").exists()

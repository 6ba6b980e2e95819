"""The author's experiments at the end are shown as the student ran them, or run; either way the points are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograde.course import Course, Experiments
from autograde.grading.digests import compute_version
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Submission, submission_from_notebook
from autograde.notebooks.load import load_submission
from autograde.notebooks.release import release
from autograde.records.nbgrader_hooks import AS_HANDED_IN, fill
from autograde.report import Report
from autograde.tests.checked_course import make_checked_course, released_copy
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, header, source_text

EXPERIMENT = f"""
# %% nbgrader={header(grade_id="experiment")}
print("run by", "the grader")

# %% nbgrader={header(grade_id="experiment-picture")}
picture = scale(2, 3)
"""
THEIRS = [{"output_type": "stream", "name": "stdout", "text": "run by ada\n"}]
Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    course = make_checked_course(tmp_path_factory.mktemp("experiments"), source=source_text(experiments=EXPERIMENT))
    release([course.open(SLUG)])
    return course


@pytest.fixture(scope="module")
def pool(course: Course) -> Iterator[GraderPool]:
    with GraderPool(course.open(SLUG)) as graders:
        yield graders


def make_submission(course: Course, change: Change = lambda notebook: None) -> Submission:
    """Run from top to bottom by ada, whose first experiment printed her name."""
    notebook = nbformat.read(course.open(SLUG).paths.released_notebook, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell["execution_count"] = count
    cell_named(notebook, "scale")["source"] = "def scale(x, factor):\n    return x * factor"
    cell_named(notebook, "experiment")["outputs"] = THEIRS
    change(notebook)
    return submission_from_notebook(notebook, course.open(SLUG).paths.released_notebook, "ada", SLUG)


def cell_named(notebook: Any, name: str) -> Any:
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def graded(pool: GraderPool, submission: Submission) -> Report:
    return next(iter(pool.grade([submission])))


def shown(report: Report, name: str = "experiment") -> str:
    """What the page shows behind the cell."""
    cell = nbformat.v4.new_code_cell(id=name)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    fill(notebook, report)
    return "".join(output.get("text", "") for output in cell.outputs)


def test_experiment_cells_run_by_the_student_are_shown_and_not_run(course: Course, pool: GraderPool) -> None:
    report = graded(pool, make_submission(course))
    assert [(run.cell, run.ran) for run in report.cells][-2:] == [("experiment", False), ("experiment-picture", False)]
    assert shown(report) == AS_HANDED_IN["text"] + "run by ada\n"
    assert report.score == report.max_score > 0
    assert report.problems == []


def rerun_earlier(notebook: Any) -> None:
    cell_named(notebook, "scale")["execution_count"] = 9


def not_run(notebook: Any) -> None:
    cell_named(notebook, "experiment-picture")["execution_count"] = None


def out_of_order(notebook: Any) -> None:
    cell_named(notebook, "experiment")["execution_count"] = 8


def edited(notebook: Any) -> None:
    cell_named(notebook, "experiment")["source"] += "\nprint('more')"


def missing(notebook: Any) -> None:
    notebook.cells.remove(cell_named(notebook, "experiment"))


def own_cell_behind(notebook: Any) -> None:
    notebook.cells.append(nbformat.v4.new_code_cell("picture + 1", execution_count=10))


def no_outputs_at_all(notebook: Any) -> None:
    cell_named(notebook, "experiment")["outputs"] = {"output_type": "stream"}
    cell_named(notebook, "experiment")["execution_count"] = True


def odd_outputs(notebook: Any) -> None:
    cell_named(notebook, "experiment")["outputs"] = [["a list"]]


def too_much(notebook: Any) -> None:
    text = "x" * (2 << 20)
    cell_named(notebook, "experiment")["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}]


@pytest.mark.parametrize(
    "change",
    [rerun_earlier, not_run, out_of_order, edited, missing, own_cell_behind, no_outputs_at_all, odd_outputs, too_much],
)
def test_experiment_cells_run_where_outputs_are_missing_or_stale(
    course: Course, pool: GraderPool, change: Change
) -> None:
    report = graded(pool, make_submission(course, change))
    assert all(run.ran for run in report.cells)
    assert shown(report) == "run by the grader\n"
    assert report.score == report.max_score


def test_experiment_cells_of_a_script_run(course: Course, pool: GraderPool, tmp_path: Path) -> None:
    (tmp_path / "ada.py").write_text((course.root / "source" / f"{SLUG}.py").read_text())
    report = graded(pool, load_submission(course.open(SLUG), str(tmp_path / "ada.py")))
    assert shown(report) == "run by the grader\n"


def test_experiment_cells_outputs_are_untrusted(course: Course, pool: GraderPool) -> None:
    """Submitted outputs are validated like those of a worker."""
    hostile = [
        {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script><b>bold</b>"}, "metadata": {}},
        {"output_type": "stream", "name": "stdout", "text": "\x1b]0;title\x07\u202eback\ud800"},
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}},
        {"output_type": "made up"},
    ]

    def put(notebook: Any) -> None:
        cell_named(notebook, "experiment")["outputs"] = hostile

    report = graded(pool, make_submission(course, put))
    cell = nbformat.v4.new_code_cell(id="experiment")
    fill(nbformat.v4.new_notebook(cells=[cell]), report)
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    assert not report.cells[-2].ran
    assert "bold" in text
    for word in ("script", "alert", "\\u001b", "\\u202e", "\\ud800", "made up"):
        assert word not in text


def test_experiment_cells_always_run_if_the_course_says_so(course: Course, tmp_path: Path) -> None:
    copy = released_copy(course.root, tmp_path / "course")
    always = write_config(replace(copy, experiments=Experiments.RUN_AGAIN))
    with GraderPool(always.open(SLUG)) as graders:
        assert shown(graded(graders, make_submission(course))) == "run by the grader\n"
    submission = make_submission(course)
    assert (
        compute_version(always.open(SLUG), submission.fingerprint).policies
        != compute_version(course.open(SLUG), submission.fingerprint).policies
    )

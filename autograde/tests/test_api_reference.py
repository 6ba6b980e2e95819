"""docs/api.md says what the docstrings say, and every example of it runs: all of them are one assignment, graded once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograde import course as course_module
from autograde.course import Assignment, Course, load_course
from autograde.grading.pool import GraderPool
from autograde.notebooks.extract import Fingerprint, Submission
from autograde.report import ExerciseReport, Outcome, Report
from autograde.tests.tiny_course import header
from tools import write_api_reference
from tools.docstrings import MESSAGE, NOTEBOOK, TEST, Documented, Example, public_names
from tools.write_api_reference import COMMAND, IMPORTS, PAGE, SECTIONS

EXAMPLES = write_api_reference.examples()
PUBLIC = [*public_names(), "Assignment"]
CONFIG, SLUG = "course_config.py", "examples"


def find_exercise(key: str) -> str:
    return re.sub(r"\W", "_", key)


def files_of(example: Example) -> dict[str, str]:
    """Files that the example shows as comments: name -> text."""
    names = set(example.parts) - {NOTEBOOK, TEST, MESSAGE, CONFIG}
    return {name: re.sub(r"^# ?", "", example.parts[name], flags=re.MULTILINE) for name in names}


def write_examples(root: Path) -> Course:
    """Write a course whose one assignment has each example as an exercise."""
    tests = root / "hidden_tests" / SLUG
    tests.mkdir(parents=True)
    cells, data = [], []
    for key, example in EXAMPLES.items():
        name = find_exercise(key)
        (tests / f"test_{name}.py").write_text(f"{IMPORTS}\n{example.parts[TEST]}\n")
        cells.append(f"# %% nbgrader={header(grade_id=f'{name}-checks', grade=True, points=1)}\n")
        if CONFIG in example.parts:
            assignment = eval(example.parts[CONFIG], vars(course_module))
            assert isinstance(assignment, Assignment)
            data += assignment.data
        for path, text in files_of(example).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    (root / "source").mkdir(exist_ok=True)
    (root / "source" / f"{SLUG}.py").write_text("\n".join(cells))
    (root / CONFIG).write_text(
        "from autograde.course import Assignment, Course\n"
        f"COURSE = Course('examples', [Assignment({SLUG!r}, title='Examples', data={tuple(data)!r})])\n"
    )
    return load_course(root)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of a notebook that holds what every example shows of one."""
    course = write_examples(tmp_path_factory.mktemp("reference"))
    answers = [(find_exercise(key), example.parts[NOTEBOOK]) for key, example in EXAMPLES.items()]
    cells = [("imports", "import torch"), *answers]
    submission = Submission(
        "instructor", SLUG, nbformat.v4.new_notebook(), cells, problems=[], fingerprint=Fingerprint("", ".ipynb", "")
    )
    with GraderPool(course.open(SLUG)) as pool:
        (report,) = pool.grade([submission])
    return report


def exercise(report: Report, key: str) -> ExerciseReport:
    (found,) = (part for part in report.exercises if part.exercise == find_exercise(key))
    return found


def test_api_reference_matches_the_docstrings() -> None:
    """The page in the repository is what the generator writes."""
    assert PAGE.read_text(encoding="utf-8") == write_api_reference.render(), f"run `{COMMAND}` and commit docs/api.md"


def test_api_reference_sections_name_every_public_name_once() -> None:
    """What a hidden test may use is in one section of the page, and nothing else is."""
    listed = Counter(entry.name for section in SECTIONS for entry in section.entries)
    assert listed == Counter(PUBLIC), "edit SECTIONS in tools/write_api_reference.py"


@pytest.mark.parametrize("name", PUBLIC)
def test_api_reference_every_public_name_has_docstring_and_example(name: str) -> None:
    """A module of functions needs no example of its own, since each of them has one."""
    entry = Documented(name)
    assert entry.text
    assert entry.examples or (entry.members and not isinstance(entry.thing, type))


def test_api_reference_examples_define_different_names() -> None:
    """They share one notebook, where a second definition would replace the first."""
    defined = Counter(
        name
        for example in EXAMPLES.values()
        for name in re.findall(r"^(?:def |class )?(\w+)(?: = |\(|:)", example.parts[NOTEBOOK], flags=re.MULTILINE)
    )
    assert {name: count for name, count in defined.items() if count > 1} == {}


def test_api_reference_notebook_of_examples_runs(report: Report) -> None:
    """Every example's part of the notebook runs without an error."""
    assert report.problems == []


@pytest.mark.parametrize("key", EXAMPLES)
def test_api_reference_example_passes_or_says_what_it_shows(report: Report, key: str) -> None:
    """Every check of an example passes, but for one if the example shows what a student reads of it."""
    verdicts = exercise(report, key).verdicts
    failures: list[Any] = [verdict for verdict in verdicts if verdict.outcome is not Outcome.PASSED]
    said = [f"{verdict.reason} hint: {verdict.hint}" if verdict.hint else verdict.reason for verdict in failures]
    shown = EXAMPLES[key].parts.get(MESSAGE)
    assert len(verdicts) > 0
    assert said == ([" ".join(line.removeprefix("#").strip() for line in shown.splitlines())] if shown else [])

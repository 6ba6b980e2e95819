"""Hostile submissions, each graded by the real pool: no point gained, nothing seen or changed, and life goes on.

All of them run where nothing is missing. Where a layer is, one of each group runs of which the level still promises
that it is stopped; `HOSTILE_WITHOUT=landlock pytest -m long autograde/tests/test_hostile.py` runs all without that layer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from autograde.course import Course
from autograde.records.gradebook import record, write_feedback
from autograde.report import Report, write_report
from autograde.tests.checked_course import released_copy
from autograde.tests.dangers import find_dangers
from autograde.tests.hostile_class import (
    HONEST_AFTER,
    PROGRAMS,
    SECRET,
    Aftermath,
    grade_attacks,
    make_hostile_course,
    make_notebook,
)
from autograde.tests.machine import skip_without
from autograde.tests.tiny_course import SLUG, submit

WITHOUT = tuple(filter(None, os.environ.get("HOSTILE_WITHOUT", "").split(",")))
pytestmark = pytest.mark.long
ANYWHERE = (
    "forging-verdict_on_every_pipe", "forging-exit_in_the_middle", "objects-equal_to_everything", "objects-reduce",
    "objects-keys_that_collide", "programs-segmentation_fault", "programs-stack_overflow", "resources-loop",
    "resources-output_by_print", "resources-memory_by_lists", "tampering-methods_of_tensors",
    "tampering-name_that_is_no_text",
)  # fmt: skip
"""what the process boundary, its guard and the limits stop without any help"""
BY_FILTERS = (
    "network-tcp", "network-unix", "programs-subprocess", "resources-forks", "resources-daemon",
    "tampering-grader_killed", "tampering-leases_on_libraries", "reading-ptrace", "reading-io_uring",
    "resources-memory_that_counts_as_a_stack", "programs-shell_escape",
)  # fmt: skip
BY_FILES = (
    "reading-hidden_tests_by_path", "reading-everything_below_the_root", "reading-memory_of_the_grader",
    "reading-classmate", "tampering-write_into_the_course", "tampering-gradebook_by_sqlite",
    "resources-deleted_files_that_stay_mapped", "resources-files_below_a_path_too_long",
)  # fmt: skip
LEVELS = {
    "C": (("landlock",), ANYWHERE + BY_FILTERS + BY_FILES),
    "G, only files are open": (("landlock", "namespaces"), ANYWHERE + BY_FILTERS),
    "G, no layer": (("landlock", "namespaces", "seccomp", "permits"), ANYWHERE),
}
"""layers that are missing, and attacks that are stopped all the same"""


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_hostile_course(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def aftermath(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    skip_without("confinement")
    with pytest.MonkeyPatch.context() as patch:
        yield grade_attacks(course, PROGRAMS, WITHOUT, tmp_path_factory.mktemp("handed-in"), patch)


def read_output(report: Report) -> str:
    """What the submission could print."""
    return "".join(str(output.get("text", "")) for cell in report.cells for output in cell.outputs)


def expect_failure(report: Report) -> None:
    """No point is gained, no secret seen, and the report is one that a person can be shown."""
    text = msgspec.json.encode(report).decode()
    assert not report.withheld, text
    assert report.score == 0
    assert SECRET not in text
    assert "SEEN" not in read_output(report)
    assert len(text) < 1 << 18


def expect_nothing_changed(aftermath: Aftermath, attacks: int) -> None:
    """Every honest submission in between has full marks; the course is as it was; no connection was made, nothing runs on."""
    honest = {name: report.score for name, report in aftermath.reports.items() if name.startswith("honest")}
    assert len(honest) == attacks // HONEST_AFTER
    assert set(honest.values()) == {4.0}
    assert aftermath.after == aftermath.before
    assert (aftermath.visitors, aftermath.left_running) == (0, [])


@pytest.mark.parametrize("name", PROGRAMS)
def test_hostile_submission_gains_no_point_and_sees_no_secret(aftermath: Aftermath, name: str) -> None:
    expect_failure(aftermath.reports[name])


def test_hostile_submissions_change_nothing(aftermath: Aftermath) -> None:
    expect_nothing_changed(aftermath, len(PROGRAMS))


@pytest.mark.parametrize(
    "level",
    [
        pytest.param("C", marks=pytest.mark.machine("tree", "seccomp", "permits")),
        pytest.param("G, only files are open", marks=pytest.mark.machine("seccomp", "permits")),
        "G, no layer",
    ],
)
def test_hostile_submissions_fail_at_each_confinement_level(
    course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str
) -> None:
    without, names = LEVELS[level]
    aftermath = grade_attacks(course, {name: PROGRAMS[name] for name in names}, without, tmp_path, monkeypatch)
    assert aftermath.confinement.level == ("C" if level == "C" else "G")
    for name in names:
        expect_failure(aftermath.reports[name])
    expect_nothing_changed(aftermath, len(names))


def test_hostile_submissions_give_inert_pages(course: Course, aftermath: Aftermath, tmp_path: Path) -> None:
    course = released_copy(course.root, tmp_path / "course")
    names = [name for name in PROGRAMS if name.startswith(("objects-", "forging-score"))]
    for name in names:
        submit(course, name, make_notebook(course, PROGRAMS[name]).replace(b"COURSE", bytes(course.root)))
        write_report(aftermath.reports[name], course.open(SLUG).paths.report(name))
    assert record(course.open(SLUG), names) == {}
    assert write_feedback(course.open(SLUG)) == {}
    for name in names:
        page = course.open(SLUG).paths.feedback(name).read_text()
        assert find_dangers(page) == []
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
        assert len(page) < 1 << 20


def test_hostile_corpus_is_large() -> None:
    assert len(PROGRAMS) >= 80

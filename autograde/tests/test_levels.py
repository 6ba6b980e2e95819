"""Which level is found on machines that lack a layer, each of them a real refusal of the kernel; see poorer_machine.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autograde.course import Confinement, Course, load_course
from autograde.isolation.confinement_probes import LAYERS
from autograde.notebooks.release import assemble, release
from autograde.report import ConfinementLevel, decode_report
from autograde.reports.class_report import write_class_report
from autograde.tests.checked_course import make_checked_course, released_copy
from autograde.tests.config_file import write_config
from autograde.tests.tiny_course import SLUG, submit

ROOT = Path(__file__).parents[2]
FILES, TREE, CALLS, PERMITS, NETWORK = (f"without {layer.name}" for layer in LAYERS.values())
MACHINES = {
    "a new kernel": ("", "level B", set()),
    "Ubuntu 24.04: user namespaces without powers": ("mounts", "level B", {TREE}),
    "a common container": ("namespaces", "level B", {TREE, NETWORK}),
    "a kernel before 5.13": ("landlock", "level C", {FILES}),
    "an old kernel in a container": ("landlock,namespaces", "level G", {FILES, TREE, NETWORK}),
    "no listener": ("listener", "level G", {PERMITS}),
    "nothing": ("landlock,seccomp,namespaces", "level G", {FILES, TREE, NETWORK, CALLS, PERMITS}),
}


def needed(without: set[str]) -> pytest.MarkDecorator:
    """This machine must have what it is not to be robbed of."""
    return pytest.mark.machine(*(key for key, layer in LAYERS.items() if f"without {layer.name}" not in without))


def course_there(course: Course, lacks: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`course WORDS` on a machine that lacks these."""
    poorer = [sys.executable, "-m", "autograde.tests.poorer_machine", lacks]
    command = [*poorer, sys.executable, "-m", "autograde.cli", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=course.root, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = make_checked_course(tmp_path_factory.mktemp("levels"))
    release([made.open(SLUG)])
    submit(made, "ada", assemble(made.open(SLUG), {}))
    return made


@pytest.fixture
def course(released: Course, tmp_path: Path) -> Course:
    """A copy for each test, so that none sees what another one graded."""
    return released_copy(released.root, tmp_path / "course")


@pytest.mark.long
@pytest.mark.parametrize(
    "machine", [pytest.param(name, marks=needed(without)) for name, (_, _, without) in MACHINES.items()]
)
def test_levels_doctor_names_level_and_missing_layers(course: Course, machine: str) -> None:
    lacks, level, without = MACHINES[machine]
    done = course_there(course, lacks, "doctor", "--json")
    found = json.loads(done.stdout)
    assert {name for name in found if name.startswith("without ")} == without
    assert all(found[name].startswith("it would prevent ") for name in without)
    refused = level == "level G"
    assert found["confinement"].startswith("MISSING: submissions would run at level G" if refused else level)
    assert done.returncode == int(refused)


@pytest.mark.long
@pytest.mark.machine("seccomp", "permits")
def test_levels_weaker_machine_is_refused_until_accepted(course: Course) -> None:
    refused = course_there(course, "landlock,namespaces", "grade", SLUG)
    assert refused.returncode == 2
    assert "error: submissions would run at level G: without Landlock (against reading" in refused.stderr
    assert f"confinement=Confinement.WEAKER_ACCEPTED in {course.root / 'course_config.py'}" in refused.stderr
    assert not course.open(SLUG).paths.reports.exists()

    write_config(replace(course, confinement=Confinement.WEAKER_ACCEPTED))
    graded = course_there(course, "landlock,namespaces", "grade", SLUG)
    assert graded.returncode == 0, graded.stderr
    assert graded.stderr.startswith("level G, NOT confined: process boundary, limits, filtered system calls, permits")
    report = decode_report(course.open(SLUG).paths.report("ada").read_bytes())
    assert report.score == 4
    assert report.unconfined
    assert report.confinement == ConfinementLevel(level="G", confined=False, layers=["seccomp", "permits"])
    page, *_ = write_class_report(load_course(course.root).open(SLUG))
    assert "Warning:</strong> 1 submission ran unconfined, because course_config.py accepts that" in page.read_text()


@pytest.mark.long
@pytest.mark.machine("tree")
def test_levels_without_proc_nothing_is_graded(course: Course) -> None:
    """A warden that sees no processes cannot end them, so neither the doctor nor grading accepts that."""
    examined = course_there(course, "proc", "doctor", "--json")
    assert examined.returncode == 1, examined.stderr
    assert json.loads(examined.stdout)["process tree"].startswith("MISSING: /proc/<pid>/task/<tid>/children")
    graded = course_there(course, "proc", "grade", SLUG)
    assert graded.returncode == 2
    assert "the processes of a submission cannot be listed" in graded.stderr
    assert not course.open(SLUG).paths.reports.exists()


@pytest.mark.long
@pytest.mark.machine("tree", "seccomp", "permits")
def test_levels_c_is_enough_to_grade(course: Course) -> None:
    graded = course_there(course, "landlock", "grade", SLUG)
    assert graded.returncode == 0, graded.stderr
    assert graded.stderr.startswith("level C: process boundary, limits, a file tree of its own")
    assert not decode_report(course.open(SLUG).paths.report("ada").read_bytes()).unconfined

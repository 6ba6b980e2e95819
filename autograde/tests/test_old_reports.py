"""Reports that older versions of the engine wrote are read, and give the same pages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autograde.old_reports import upgrade
from autograde.pages.feedback import count_outcomes, find_first_to_fix, format_exercise, format_problem, render_exercise
from autograde.pages.page import cut_to_first_line
from autograde.report import (
    SCHEMA,
    ConfinementLevel,
    Outcome,
    Problem,
    ProblemKind,
    Report,
    decode_report,
    encode_report,
)

DATA = Path(__file__).parent / "data"
VERSION_2 = (DATA / "report-2.json").read_bytes()
"""`course check --json` of version 2 wrote it, of a submission with a wrong answer, an untouched stub, a crash, an
endless loop, and a damaged file."""
SHOWN = (DATA / "report-2.html").read_text(encoding="utf-8")
"""what version 2 showed of it, `as_shown`"""


def as_shown(report: Report) -> str:
    """What a student reads, without the pictures' data."""
    parts = ["\n".join(cut_to_first_line(format_problem(problem)) for problem in report.problems)]
    for exercise in report.exercises:
        first_to_fix = json.dumps(find_first_to_fix(exercise), ensure_ascii=False)
        html = re.sub(r'data:[^"]*', "data:", render_exercise(exercise))
        parts += [format_exercise(exercise), count_outcomes(exercise), first_to_fix, html]
    return "\n\n".join(parts) + "\n"


def test_decode_report_shows_version_2_as_before() -> None:
    """Students see no difference between an old report and its upgrade."""
    assert as_shown(decode_report(VERSION_2)) == SHOWN


def test_decode_report_upgrades_version_2() -> None:
    """What version 2 said in sentences is in fields, and nothing else changes."""
    report, old = decode_report(VERSION_2), json.loads(VERSION_2)
    assert report.schema == SCHEMA
    assert (report.score, report.digest) == (1.0, old["digest"])
    assert [verdict.check for verdict in report.verdicts if verdict.outcome is Outcome.NOT_WRITTEN] == [
        "test_parameters",
        "test_result",
    ]
    assert report.confinement == ConfinementLevel(
        level="B", confined=True, layers=["landlock", "tree", "seccomp", "permits", "namespaces"]
    )
    assert report.environment.keys() == {"device", "torch"}
    assert [(problem.kind.name, problem.cell) for problem in report.problems] == [
        ("DROPPED", "rms_norm-task"),
        ("REPAIRED", "rms_norm-checks"),
        *(("REPAIRED", f"experiment-{name}") for name in ("task", "shift", "training", "picture")),
        *(("EXAMPLE_FAILED", f"{name}-checks") for name in EXERCISES),
        *(("CELL_STOPPED", f"experiment-{name}") for name in ("shift", "training", "picture")),
        ("CELL_STOPPED", "student-1"),
    ]
    assert decode_report(encode_report(report)) == report


EXERCISES = ("rms_norm", "rms_norm_module", "layer_norm", "rms_norm_backward")


def test_decode_report_reads_version_1() -> None:
    """Version 1 has no comparison, answer or margin."""
    old = json.loads(VERSION_2)
    for exercise in old["exercises"]:
        for verdict in exercise["verdicts"]:
            for name in ("comparison", "answer", "margin"):
                verdict.pop(name)
    report = decode_report(json.dumps(old | {"schema": 1}).encode())
    assert (report.schema, report.score) == (SCHEMA, 1.0)
    assert {verdict.comparison for verdict in report.verdicts} == {None}


OLD: dict[str, Any] = {"schema": 2, "assignment": "a", "student": "s", "digest": "d"}
SENTENCES = {
    "the notebook did not finish within 60 s": ProblemKind.NOTEBOOK_STOPPED,
    "Cell 'scale', where an answer belongs, is missing.": ProblemKind.ANSWER_MISSING,
    "Cell 3 carried nbgrader metadata that names no cell; it was dropped.": ProblemKind.DROPPED,
    "Cell 'scale' (cell 4) is a copy: it runs as an ordinary cell.": ProblemKind.REPAIRED,
    "More of the notebook was repaired than is listed here.": ProblemKind.REPAIRED,
}


@pytest.mark.parametrize(("sentence", "kind"), SENTENCES.items())
def test_upgrade_tells_problems_by_their_sentences(sentence: str, kind: ProblemKind) -> None:
    """The sentence stays; the cell is known only where the sentence names one that is in the repaired notebook."""
    cell = "scale" if kind is ProblemKind.ANSWER_MISSING else ""
    (problem,) = decode_report(json.dumps(OLD | {"problems": [sentence]}).encode()).problems
    assert problem == Problem(kind=kind, cell=cell, text=sentence)


def test_upgrade_keeps_that_nothing_confined_the_submission() -> None:
    """A warning on the class page depends on it."""
    said = "level G, NOT confined: process border, limits, filtered system calls; without Landlock"
    report = decode_report(json.dumps(OLD | {"environment": {"confinement": said}}).encode())
    assert report.unconfined
    assert report.confinement == ConfinementLevel(level="G", confined=False, layers=["seccomp"])


@pytest.mark.parametrize("field", [{"problems": [1]}, {"exercises": [{}]}, {"environment": []}])
def test_upgrade_refuses_what_is_no_report(field: dict[str, Any]) -> None:
    """As a damaged report of the present version is refused, so that it is graded again."""
    with pytest.raises(msgspec.ValidationError):
        upgrade(json.dumps(OLD | field).encode())


def test_decode_report_refuses_a_later_version() -> None:
    """An older engine may not drop what it does not know."""
    with pytest.raises(msgspec.ValidationError, match=f"reads up to version {SCHEMA}"):
        decode_report(json.dumps(OLD | {"schema": SCHEMA + 1}).encode())

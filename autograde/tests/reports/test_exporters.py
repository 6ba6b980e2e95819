"""Grades in the columns that other systems import, and reports as CI and Gradescope read them."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.plugins import CsvExportPlugin

from autograde.course import Course
from autograde.records.gradebook import record
from autograde.report import Outcome
from autograde.reports.ci_formats import format_gradescope, format_junit
from autograde.reports.exporters import NbgraderExport, export_grades
from autograde.tests.commands import nbgrader_command
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report, make_verdict
from autograde.tests.tiny_course import SLUG, submit

Rows = list[dict[str, str]]


@pytest.fixture
def marked(released: Course, fake_grader: FakeGrader, monkeypatch: pytest.MonkeyPatch) -> Course:
    """ada is on time, bob is late with a hostile name, cy handed nothing in."""
    monkeypatch.chdir(released.root)
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        gradebook.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@x.org", lms_user_id="101")
        gradebook.add_student("102", first_name="=cmd()", last_name='O"Brien, jr', email="bob@x.org")
        gradebook.add_student("cy")
    submit(released, "ada")
    submit(released, "102", when="2027-02-01 12:00:00 UTC")
    fake_grader.reports = {"ada": make_report(points=2.5), "102": make_report("102")}
    assert record(released.open(SLUG), ["ada", "102"]) == {}
    return released


def exported(course: Course, kind: str) -> Rows:
    export_grades(course, kind, "out.csv")
    with (course.root / "out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_export_for_canvas(marked: Course) -> None:
    rows = exported(marked, "canvas")
    assert list(rows[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Scale"]
    assert (rows[0]["Student"], rows[0]["Scale"]) == ("    Points Possible", "6")
    found = {row["Student"]: (row["ID"], row["SIS Login ID"], row["Scale"]) for row in rows[1:]}
    assert found == {
        "Lovelace, Ada": ("101", "ada", "2.5"),
        'O"Brien, jr, =cmd()': ("102", "", "3.6"),
        "cy": ("", "cy", ""),
    }


def test_export_for_moodle(marked: Course) -> None:
    found = {row["ID number"]: row for row in exported(marked, "moodle")}
    assert {number: row["Assignment: Scale (Real)"] for number, row in found.items()} == {
        "101": "2.5", "102": "3.6", "cy": "",
    }  # fmt: skip
    assert found["101"]["Email address"] == "ada@x.org"
    assert found["102"]["First name"] == "'=cmd()", "no spreadsheet runs a name"


def test_export_has_the_columns_of_nbgrader(marked: Course) -> None:
    """The stock exporter, but for quoting: the same header and, where no name needs quotes, the same rows."""
    with Gradebook(marked.gradebook_url, marked.name) as gradebook:
        CsvExportPlugin(to="stock.csv").export(gradebook)
        NbgraderExport(to="ours.csv").export(gradebook)
    stock, ours = (Path(name).read_text().splitlines() for name in ("stock.csv", "ours.csv"))
    assert ours[0] == stock[0]
    assert sorted(line for line in ours if "O" not in line) == sorted(line for line in stock if "O" not in line)
    with open("ours.csv", newline="") as file:
        names = {row["last_name"] for row in csv.DictReader(file)}
    assert 'O"Brien, jr' in names


def test_export_works_as_a_plugin_of_stock_nbgrader(marked: Course) -> None:
    words = ["--exporter=autograde.reports.exporters.CanvasExport", "--to=stock.csv", "--assignment", f"['{SLUG}']"]
    done = nbgrader_command(marked, "export", *words)
    assert done.returncode == 0, done.stderr
    export_grades(marked, "canvas", "ours.csv")
    assert (marked.root / "stock.csv").read_text() == (marked.root / "ours.csv").read_text()


def test_export_reports_answers_that_wait_for_a_mark(marked: Course) -> None:
    with Gradebook(marked.gradebook_url, marked.name) as gradebook:
        gradebook.find_grade("why", SLUG, SLUG, "ada").needs_manual_grade = True
        gradebook.db.commit()
    assert export_grades(marked, "canvas", "out.csv") == [
        f"{SLUG}: 1 submissions have answers to mark by hand, which count 0 until then"
    ]


HOSTILE = "]]><boom/>\x00\x1b[31m\ufffe\ud800 & <script>"


def test_junit_distinguishes_failures_from_engine_faults() -> None:
    verdicts = [make_verdict(outcome.value, outcome, reason="because") for outcome in Outcome]
    suite = ET.fromstring(format_junit(make_report(verdicts=verdicts)))[0]
    assert {key: suite.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7", "failures": "4", "errors": "1", "skipped": "1",
    }  # fmt: skip
    kinds = {case.get("name"): [child.tag for child in case] for case in suite}
    assert kinds == {
        "passed": [], "failed": ["failure"], "not written": ["failure"], "crashed": ["failure"], "timed out": ["failure"],
        "waiting": ["skipped"], "broken": ["error"],
    }  # fmt: skip
    assert "because" not in ET.tostring(suite, "unicode").split("<error")[1], (
        "an instructor's trace is not for students"
    )


def test_ci_formats_escape_hostile_text() -> None:
    texts = dict.fromkeys(("reason", "hint", "replay", "traceback"), HOSTILE)
    report = make_report(verdicts=[make_verdict(HOSTILE, Outcome.FAILED, **texts)])
    root = ET.fromstring(format_junit(report))
    assert root.find(".//boom") is None
    assert "<script>" in (root.find(".//failure").text or "")
    told = json.loads(format_gradescope(report).encode("utf-8"))["tests"][0]
    assert (told["output_format"], "\x1b" in told["output"]) == ("text", False)


def test_gradescope_results_add_up() -> None:
    """And a fault of the engine gives no score."""
    passed = make_verdict()
    failed, broken = (make_verdict("t", outcome, reason="/secret") for outcome in (Outcome.FAILED, Outcome.BROKEN))
    results = json.loads(format_gradescope(make_report(verdicts=[passed, failed])))
    assert results["score"] == sum(test["score"] for test in results["tests"]) == 1
    assert [test["status"] for test in results["tests"]] == ["passed", "failed"]
    withheld = json.loads(format_gradescope(make_report(verdicts=[passed, broken])))
    assert "score" not in withheld
    assert "tests" not in withheld
    assert "secret" not in json.dumps(withheld)

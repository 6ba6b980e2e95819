"""One report in the formats of other systems: JUnit XML for CI, results.json for Gradescope.

JUnit: the schema of junit.org's Ant task, which GitHub, GitLab and Jenkins read. Gradescope:
https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

from autograde.pages.feedback import NOTES, format_problem
from autograde.report import Outcome, Report, Verdict
from autograde.text import to_plain_text, to_xml_text

ENGINE_FAULT = NOTES[Outcome.BROKEN]


def format_junit(report: Report) -> str:
    """Format JUnit XML. A waiting check is skipped, an engine fault is an error, the rest are failures."""
    suites = ET.Element("testsuites", name=to_xml_text(report.assignment))
    for exercise in report.exercises:
        outcomes = [verdict.outcome for verdict in exercise.verdicts]
        errors, skipped = outcomes.count(Outcome.BROKEN), outcomes.count(Outcome.WAITING)
        failures = len(outcomes) - outcomes.count(Outcome.PASSED) - errors - skipped
        counts = {"tests": len(outcomes), "failures": failures, "errors": errors, "skipped": skipped}
        numbers = {key: str(value) for key, value in counts.items()}
        suite = ET.SubElement(suites, "testsuite", {"name": to_xml_text(exercise.exercise), **numbers})
        for verdict in exercise.verdicts:
            classname = f"{report.assignment}.{exercise.exercise}"
            case = ET.SubElement(
                suite, "testcase", classname=to_xml_text(classname), name=to_xml_text(_format_title(verdict))
            )
            if element := _choose_element(verdict):
                text = _describe(verdict)
                ET.SubElement(case, element, message=to_xml_text(text.split("\n", 1)[0])).text = to_xml_text(text)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def format_gradescope(report: Report) -> str:
    """Format results.json. Gradescope shows one without score and tests as an autograder failure."""
    problems = "\n".join(to_plain_text(format_problem(problem), 500) for problem in report.problems)
    if report.withheld:
        return _to_json(
            {"output": f"The grader failed. {ENGINE_FAULT} It will be run again.", "stdout_visibility": "hidden"}
        )
    tests = [
        {
            "name": f"{exercise.exercise}: {_format_title(verdict)}",
            "score": verdict.points,
            "max_score": verdict.max_points,
            "status": "passed" if verdict.outcome is Outcome.PASSED else "failed",
            "output": _describe(verdict),
            "output_format": "text",
            "visibility": "visible",
        }
        for exercise in report.exercises
        for verdict in exercise.verdicts
    ]
    return _to_json({"score": report.score, "output": problems, "stdout_visibility": "hidden", "tests": tests})


def _choose_element(verdict: Verdict) -> str:
    return {Outcome.PASSED: "", Outcome.WAITING: "skipped", Outcome.BROKEN: "error"}.get(verdict.outcome, "failure")


def _format_title(verdict: Verdict) -> str:
    return to_plain_text(verdict.title, 300) or verdict.check


def _describe(verdict: Verdict) -> str:
    """Format everything that the student sees about a check as plain text; nothing about a broken check."""
    if verdict.outcome is Outcome.BROKEN:
        return ENGINE_FAULT
    hint = f"Hint: {verdict.hint}" if verdict.hint else ""
    parts = (verdict.reason, hint, verdict.replay, verdict.traceback)
    return "\n".join(to_plain_text(part) for part in parts if part) or verdict.outcome.value


def _to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

"""Converts reports that older versions of the engine wrote to the current version.

Version 2 stored three facts as sentences for which version 3 has fields: the untouched stub, the problems of the file,
and the confinement of the submission. Version 1 also lacked a verdict's `comparison`, `answer` and `margin`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

NOT_WRITTEN = "not written yet: the cell still raises NotImplementedError"
STOPPED = re.compile(r"cell ([^:\n]*): (.*)", re.DOTALL)
PROBLEMS = [
    (re.compile(r"the notebook"), "notebook stopped"),
    (re.compile(r".* dropped\.$"), "part dropped"),
    (re.compile(r"Cell .*, where an answer belongs, is missing\.$"), "answer missing"),
]
"""pattern of a sentence's beginning -> problem kind; any other sentence describes a repair"""
CELL = re.compile(r"Cell '([\w-]+)'(?! \(cell)")
"""A sentence about a copy, "Cell 'x' (cell 4)", does not match: the copy has another id, which it does not contain."""
LEVEL = re.compile(r"level ([A-Z])")
LAYERS = {
    "Landlock": "landlock",
    "a file tree of its own": "tree",
    "filtered system calls": "seccomp",
    "permits for processes": "permits",
    "a network of its own": "namespaces",
}


class Verdict(msgspec.Struct):
    """The fields of a verdict that this module reads."""

    outcome: str
    reason: str = ""


class Exercise(msgspec.Struct):
    """The fields of an exercise that this module reads."""

    verdicts: list[Verdict]


class OldReport(msgspec.Struct):
    """The fields of a report that this module reads."""

    problems: list[str] = []
    exercises: list[Exercise] = []
    environment: dict[str, str] = {}


def upgrade(data: bytes) -> dict[str, Any]:
    """Convert a report of version 1 or 2, encoded in `data`, to version 3. msgspec.ValidationError if it is invalid."""
    msgspec.json.decode(data, type=OldReport)
    report = msgspec.json.decode(data, type=dict[str, Any])
    environment = dict(report.get("environment", {}))
    confinement = environment.pop("confinement", "")
    return report | {
        "schema": 3,
        "problems": [_upgrade_problem(sentence) for sentence in report.get("problems", [])],
        "exercises": [
            exercise | {"verdicts": [_upgrade_verdict(verdict) for verdict in exercise["verdicts"]]}
            for exercise in report.get("exercises", [])
        ],
        "environment": environment,
        "confinement": _upgrade_confinement(confinement),
    }


def _upgrade_verdict(verdict: dict[str, Any]) -> dict[str, Any]:
    untouched = verdict["outcome"] == "failed" and verdict.get("reason") == NOT_WRITTEN
    return verdict | {"outcome": "not written"} if untouched else verdict


def _upgrade_problem(sentence: str) -> dict[str, str]:
    if stopped := STOPPED.match(sentence):
        cell, error = stopped.groups()
        return {
            "kind": "public example failed" if cell.endswith("-checks") else "cell stopped",
            "cell": cell,
            "text": error,
        }
    kind = next((kind for pattern, kind in PROBLEMS if pattern.match(sentence)), "file repaired")
    named = CELL.match(sentence)
    return {"kind": kind, "cell": named[1] if named else "", "text": sentence}


def _upgrade_confinement(sentence: str) -> dict[str, Any] | None:
    found = LEVEL.match(sentence)
    if not found:
        return None
    held = sentence.partition(": ")[2].partition("; without ")[0].split(", ")
    return {
        "level": found[1],
        "confined": "NOT confined" not in sentence,
        "layers": [LAYERS[name] for name in held if name in LAYERS],
    }

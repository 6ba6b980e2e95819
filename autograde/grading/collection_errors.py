"""Reports why a hidden test file cannot be used, in sentences with line numbers instead of pytest's trace."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import pytest

from autograde.exception_names import public_name
from autograde.grading.source_locations import find_course_line, path_in_course
from autograde.testing.checks import Check


def report_errors(collector: pytest.Collector, report: pytest.CollectReport) -> None:
    """Describe in `report` what is wrong with a test file, also if a test would not be graded as it is written."""
    if not isinstance(collector, pytest.Module):
        return
    raised = report.call.excinfo  # pytest stores the exception here
    if raised is not None and report.failed:
        error = raised.value.__cause__ or raised.value
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        where = find_course_line(error) or path_in_course(collector.path)
        report.longrepr = f"{where}: {public_name(error)}: {message}"
    elif report.passed and (errors := [*_find_duplicates(collector), *_find_misdeclared(report.result)]):
        file = path_in_course(collector.path) or collector.path.name
        report.outcome, report.result = "failed", []
        report.longrepr = "\n".join(f"{file}:{line}: {what}" for line, what in sorted(errors))


def _find_duplicates(module: pytest.Module) -> Iterator[tuple[int, str]]:
    """(line, sentence) for each function that hides an earlier one of the same name."""
    first: dict[str, int] = {}
    for node in ast.parse(module.path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and first.setdefault(node.name, node.lineno) != node.lineno:
            yield node.lineno, f"a second `{node.name}` hides the one on line {first[node.name]}; rename one"


def _find_misdeclared(items: list[Any]) -> Iterator[tuple[int, str]]:
    """(line, sentence) for each test that would not be graded as written."""
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        fixtures, line = item._fixtureinfo, item.reportinfo()[1] or 0
        check: Check | None = getattr(item.obj, "check", None)
        given = {"request", *fixtures.name2fixturedefs, *getattr(getattr(item, "callspec", None), "params", ())}
        missing = [f"`{name}`" for name in fixtures.argnames if name not in given]
        if check is None and "student" in fixtures.argnames:
            yield line + 1, f"{item.name} takes `student` but is not a check; write @check(points=...) above it"
        elif check is not None and check.test is not item.obj:
            yield line + 1, f"{item.name}: write @check above @given, not below it"
        elif missing:
            names = " and ".join(missing)
            yield (
                line + 1,
                f"{item.name}: no strategy for {names}; pass one to @given for each argument except `student`",
            )

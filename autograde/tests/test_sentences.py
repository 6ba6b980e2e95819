"""No code of the engine decides by a sentence: what it decides by is a field.

Sentences are a verdict's reason and hint, a problem's text, a check's title; a student's name is no place for facts either.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1]
SENTENCES = {
    "reason", "reasons", "problem", "problems", "title", "titles", "hint", "hints", "sentence", "sentences", "message",
    "messages",
}  # fmt: skip
NAMES = {"student", "students"}
"""Ids, which may be compared as keys, and are looked up in folders and tables."""
TAKEN_APART = {
    "startswith", "endswith", "partition", "rpartition", "split", "rsplit", "splitlines", "removeprefix", "removesuffix",
    "find", "rfind", "index", "rindex", "count", "match", "search", "fullmatch", "findall", "finditer", "sub", "subn",
}  # fmt: skip
COMPARED = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
EXEMPT = {
    "text.py": "the one module that cleans texts",
    "old_reports.py": "reads the sentences that older versions wrote where there are fields now",
}
MAY_DECIDE = {
    """'"' in title""": "cli/new.py refuses an author's title that Python source could not quote",
    r"""'\\' in title""": "cli/new.py, as above",
    "re.search(pattern, message[:2000], FLAGS)": "exception_hints.py chooses a hint; the outcome does not depend on it",
    "message.startswith('assert ')": "verdicts.py leaves out pytest's text of an assert, which is no reason for students",
    "SAFE_ID.fullmatch(student)": "lms_import/roster.py refuses an id that cannot be a folder's name",
}
MODULES = sorted(
    path
    for path in ENGINE.rglob("*.py")
    if "tests" not in path.relative_to(ENGINE).parts and str(path.relative_to(ENGINE)) not in EXEMPT
)


def name_of(node: ast.expr) -> str:
    """The variable, attribute or key that holds the operand, also where it is wrapped in a call or followed by one."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(value=str(name))):
            return name
        case ast.Subscript(value=value):
            return name_of(value)
        case ast.Call(func=ast.Attribute(value=value), args=[]):  # reason.strip()
            return name_of(value)
        case ast.Call(func=ast.Name(id=function), args=[value, *_]) if (
            function != "len"
        ):  # str(reason), plain(reason, 500)
            return name_of(value)
    return ""


def decisions(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and source of everything that compares a sentence, or takes a sentence or a student's name apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TAKEN_APART:
            names = {name_of(part) for part in (node.func.value, *node.args)}
            if names & (SENTENCES | NAMES):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Compare) and any(isinstance(operator, COMPARED) for operator in node.ops):
            operands = [node.left, *node.comparators]
            names = {name_of(part) for part in operands}
            written_out = any(isinstance(part, (ast.Constant, ast.JoinedStr)) for part in operands)
            if names & SENTENCES or (names & NAMES and written_out):
                yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_engine_decides_by_fields(path: Path) -> None:
    """Give the fact a field, and make the sentence of it where it is shown."""
    found = decisions(ast.parse(path.read_text(encoding="utf-8")))
    assert [(line, source) for line, source in found if source not in MAY_DECIDE] == []


FOUND = [
    'student.startswith("wrong/")',
    'report.student.partition("/")',
    "verdict.reason == NOT_WRITTEN",
    'NOT_WRITTEN in verdict["reason"]',
    'str(reason).split(":")',
    "PATTERN.match(problem)",
    're.search("x", hint, 0)',
    'plain(problem.title, 20).strip() != "x"',
    'report.student == "instructor"',
    'problem.removeprefix("cell ")',
    '"device" in error.message',
]
NOT_FOUND = ["student in reports", "report.student == submission.student", "if reason: pass", "x.startswith('y')"]


@pytest.mark.parametrize("source", FOUND)
def test_decisions_finds(source: str) -> None:
    """Each way in which code could decide by a sentence."""
    assert [line for line, _ in decisions(ast.parse(source))] == [1]


@pytest.mark.parametrize("source", NOT_FOUND)
def test_decisions_leaves(source: str) -> None:
    """Ids as keys, and whether there is a text at all."""
    assert list(decisions(ast.parse(source))) == []

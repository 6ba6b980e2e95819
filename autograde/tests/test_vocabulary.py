"""The code and the documents for staff use the usual terms; docs/glossary.md explains them.

Words with a normal English use as well (place, kept, lie, stand) are a matter of review and not listed.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PHRASES = {
    r"found out once": "cached; the check cache",
    r"minutes of (?:it|its|a|the|each)": "exchange log",
    r"lent": "callbacks",
    r"fools?": "decoys",
    r"foolish answers?": "decoys",
    r"wrong ideas?": "misconceptions",
    r"strangers'": "untrusted",
    r"warm process(?:es)?": "zygote",
    r"afresh": "in a fresh fork, or: again",
    r"in the place of": "instead of",
    r"whole or not at all": "atomically",
    r"in one motion": "atomically",
    r"half a character": "lone surrogate",
    r"to the byte": "byte for byte",
    r"without a cable": "an isolated network namespace",
    r"collector stays away": "garbage collection is paused",
    r"bare limit": "lower bound",
    r"for something smaller": "shrinking",
    r"process border": "process boundary",
    r"takes up where": "continues where",
    r"the very same": "the same",
    r"see to it": "say what to do",
    r"look after": "check",
}
"""phrase, as a regular expression between word boundaries -> what to say instead"""
STAFF_PHRASES = {
    r"handed[ -]in": "submitted",
    r"hands? in": "submit",
    r"mends?|mended|mending": "fix",
    r"whoever|nobody|somebody": "name the subject",
}
"""phrases that belong in messages for students only: the strings of the code may contain them"""

AS_WRITTEN = ("reference_impl/text/", "LICENSE", "docs/measurements.md", "docs/decisions/engine-packages.md")
"""texts by others, a log of measurements, and a table of old names"""
FOR_STUDENTS = ("source/", "release/", "hidden_tests/", "autograde/templates/", "docs/reading-feedback.md")
"""notebooks, hints and pages, whose plain words are meant for students"""
NOTEBOOK_CELLS = ("autograde/tests/hostile/",)
"""cells of IPython, which are not Python"""
QUOTES_PHRASES = ("autograde/tests/test_vocabulary.py", "autograde/tests/test_old_reports.py")
"""this list, and sentences that older versions wrote"""
TEXT = {".py", ".md", ".toml", ".yml", ".cff", ".j2", ".css", ".js", ""}


def list_files() -> list[str]:
    """Every text file in the repository that this rule is for."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    exempt = (*AS_WRITTEN, *FOR_STUDENTS, *NOTEBOOK_CELLS, *QUOTES_PHRASES)
    return [name for name in listed.splitlines() if Path(name).suffix in TEXT and not name.startswith(exempt)]


def find_phrases(text: str, phrases: dict[str, str]) -> list[str]:
    """Each line with one of the phrases, which may be wrapped, and what to say instead."""
    found = []
    for phrase, instead in phrases.items():
        # A comment or docstring may break the line within the phrase.
        pattern = rf"(?<!\w)(?:{phrase})(?!\w)".replace(" ", r"(?:\s|\n\s*#)+")
        for match in re.finditer(pattern, text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"line {line}: {' '.join(match[0].split())!r}: say {instead!r}")
    return found


def keep_comments(source: str) -> str:
    """A module's comments and docstrings, on their lines; everything else is blank."""
    lines = source.splitlines()
    kept = [""] * len(lines)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            kept[token.start[0] - 1] = token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            kept[node.lineno - 1 : node.end_lineno] = lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(kept)


@pytest.mark.parametrize("name", list_files())
def test_vocabulary_avoids_phrases_of_our_own(name: str) -> None:
    text = (ROOT / name).read_text()
    for_staff = keep_comments(text) if name.endswith(".py") else text
    assert [*find_phrases(text, PHRASES), *find_phrases(for_staff, STAFF_PHRASES)] == []


def test_vocabulary_allows_messages_for_students() -> None:
    source = 'say("handed in")  # comment\n"""handed in"""\n'
    assert find_phrases(keep_comments(source), STAFF_PHRASES) == ["line 2: 'handed in': say 'submitted'"]


def test_vocabulary_finds_wrapped_phrases_and_no_parts_of_words() -> None:
    assert find_phrases("It is found out\n    # once.", PHRASES) == [
        "line 1: 'found out # once': say 'cached; the check cache'"
    ]
    assert find_phrases("excellent, amended, commends, foolproof, inputs on", PHRASES) == []


def test_vocabulary_covers_code_and_documents() -> None:
    covered = list_files()
    assert {"README.md", "docs/glossary.md", "autograde/course.py", "tools/fuzz.py", "Makefile"} <= set(covered)

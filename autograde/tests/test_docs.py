"""What the documents quote exists: commands, options, files, and the places that links lead to."""

from __future__ import annotations

import functools
import re
import shlex
from collections import Counter
from pathlib import Path

import click
import pytest

from autograde.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "tools").rglob("*.md"))]
EXAMPLES = {"source/softmax.py", "reference_impl/softmax.py", "wrong/sum_for_mean.py"}
"""files that the pages tell an author to write"""
CODE_BLOCK = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
QUOTED = [
    (page, line)
    for page in PAGES
    for line in re.findall(r"^    (course [^#\n]+)|`(course [a-z][^`\n]*)`", page.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize(("page", "lines"), QUOTED, ids=lambda value: "" if isinstance(value, Path) else "".join(value))
def test_docs_quoted_commands_and_options_exist(page: Path, lines: tuple[str, str]) -> None:
    _, name, *arguments = shlex.split("".join(lines).strip())
    command = main.commands[name]
    options = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}
    for argument in arguments:
        if (option := argument.strip("[]")).startswith("--"):
            assert option in options


@functools.cache
def anchors(page: Path) -> set[str]:
    """The fragments by which GitHub links to the headings of a page."""
    fragments: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ +(.*)$", CODE_BLOCK.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        fragment = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        fragments.add(f"{fragment}-{seen[fragment]}" if seen[fragment] else fragment)
        seen[fragment] += 1
    return fragments


def broken_links(page: Path) -> list[str]:
    """The relative links of a page that lead to no file, or to no heading of it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)[^)]*\)", CODE_BLOCK.sub("", page.read_text())):
        if target.startswith("https://"):
            continue
        file, _, fragment = target.partition("#")
        there = page.parent / file if file else page
        if not there.exists() or (fragment and fragment not in anchors(there)):
            broken.append(target)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_links_lead_to_files_and_headings(page: Path) -> None:
    assert broken_links(page) == []


def test_docs_broken_links_are_reported(tmp_path: Path) -> None:
    """A link to a file or a heading that is not there is found; links in code blocks are none."""
    page = tmp_path / "page.md"
    page.write_text(
        "# One `head`, twice\n\n## Twice\n\n## Twice\n\n"
        "[a](page.md) [b](#one-head-twice) [c](page.md#twice-1) [d](https://example.org/#none)\n\n"
        "```text\n# Hidden\n[e](none.md)\n```\n\n[f](missing.md) [g](#hidden) [h](page.md#twice-2)\n"
    )
    assert broken_links(page) == ["missing.md", "#hidden", "page.md#twice-2"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_quoted_files_exist(page: Path) -> None:
    """A file of Python code that a page names is there: from the root, the page's folder, the engine or its tests."""
    bases = (ROOT, page.parent, ROOT / "autograde", ROOT / "autograde" / "tests")
    for name in re.findall(r"`(?:python )?([\w./-]+\.py)\b", page.read_text()):
        assert name in EXAMPLES or any((base / name).exists() for base in bases), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_docs_quoted_modules_exist(page: Path) -> None:
    """`python -m tools.x` and `python -m reference_impl` name modules of this repository."""
    for name in re.findall(r"python -m ((?:tools|reference_impl|autograde)[\w.]*)", page.read_text()):
        path = ROOT / name.rstrip(".").replace(".", "/")
        assert path.with_suffix(".py").exists() or path.is_dir(), name


def test_docs_quote_commands() -> None:
    assert len(QUOTED) > 20

"""What the documents quote exists: commands, options, and files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from autograde.cli import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUOTED = [
    (page, line)
    for page in PAGES
    for line in re.findall(r"^    (course [^#\n]+)|`(course [a-z][^`\n]*)`", page.read_text(), re.MULTILINE)
]


@pytest.mark.parametrize(("page", "lines"), QUOTED, ids=lambda value: "" if isinstance(value, Path) else "".join(value))
def test_a_quoted_command_and_its_options_exist(page: Path, lines: tuple[str, str]) -> None:
    _, name, *arguments = shlex.split("".join(lines).strip())
    command = main.commands[name]
    options = {option for param in command.params if isinstance(param, click.Option) for option in param.opts}
    for argument in arguments:
        if (option := argument.strip("[]")).startswith("--"):
            assert option in options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_pages_quote_commands() -> None:
    assert len(QUOTED) > 20

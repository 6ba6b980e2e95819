"""Pages for those who teach: whole without scripts, sortable and filterable with the one that they carry.

Covered: every text escaped, no request to anywhere, no script but our own (the page's policy names its hash).
Not covered: who may read the page. It names students; keep it where their grades are kept.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from autograde.pages.display import escape_formula, load_template
from autograde.pages.page import load_styles

TEMPLATES = Path(__file__).parents[1] / "templates"


def render_staff_page(source: str, /, **facts: Any) -> str:
    """The template `source` as a page without other files."""
    page: str = load_template(source).render(
        styles=_load_styles(), script=_load_script(), policy=_make_policy(), **facts
    )
    return page


@cache
def _load_styles() -> str:
    return f"{load_styles()}\n<style>\n{(TEMPLATES / 'staff.css').read_text(encoding='utf-8')}</style>"


@cache
def _load_script() -> str:
    return (TEMPLATES / "tables.js").read_text(encoding="utf-8")


def _make_policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_load_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "form-action 'none'; base-uri 'none'"
    )


def format_csv(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV in which no cell can be taken for a formula, and None is an empty one."""
    written = io.StringIO()
    table = csv.writer(written)
    for row in (header, *rows):
        table.writerow(["" if value is None else escape_formula(value) for value in row])
    return written.getvalue()

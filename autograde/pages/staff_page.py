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

from autograde.pages.display import harmless, template
from autograde.pages.page import styles

TEMPLATES = Path(__file__).parents[1] / "templates"


def staff_page(source: str, /, **facts: Any) -> str:
    """The template `source` as a page without other files."""
    page: str = template(source).render(styles=_styles(), script=_script(), policy=_policy(), **facts)
    return page


@cache
def _styles() -> str:
    return f"{styles()}\n<style>\n{(TEMPLATES / 'staff.css').read_text(encoding='utf-8')}</style>"


@cache
def _script() -> str:
    return (TEMPLATES / "tables.js").read_text(encoding="utf-8")


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "form-action 'none'; base-uri 'none'"
    )


def csv_text(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """A table as CSV in which no cell can be taken for a formula, and None is an empty one."""
    written = io.StringIO()
    table = csv.writer(written)
    for row in (header, *rows):
        table.writerow(["" if value is None else harmless(value) for value in row])
    return written.getvalue()

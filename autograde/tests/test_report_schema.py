"""The published schema is that of the reports."""

from __future__ import annotations

from pathlib import Path

from autograde.report import report_schema

PUBLISHED = Path(__file__).parents[2] / "docs" / "report.schema.json"


def test_report_schema_is_current() -> None:
    """Write it again: python -c 'import autograde.report as r; print(r.report_schema().decode(), end="")' > docs/..."""
    assert PUBLISHED.read_bytes() == report_schema()

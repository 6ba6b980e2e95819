"""Feedback pages that do nothing: no script, no foreign address, whatever the submission holds.

Covered: markup in cells, outputs and comments (the whole body is sanitized), and a policy that forbids all loading.
Not covered: a picture's content; rude text.
"""

from __future__ import annotations

import html
from typing import Any

import nh3
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import Exporter
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import GetGrades

from autograde.pages import page
from autograde.pages.display import ATTRIBUTES, TAGS, keep_safe_url
from autograde.pages.formulas import MATH_ATTRIBUTES, MATH_TAGS
from autograde.report import decode_report

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
HEAD = f"""<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">"""
PAGE_TAGS = TAGS | MATH_TAGS | {"header", "img", "main", "section"}
PAGE_ATTRIBUTES = {
    **ATTRIBUTES,
    **MATH_ATTRIBUTES,
    "*": {"class", "id"},
    "a": {"href", "title", "name"},
    "img": {"src", "alt"},
    "details": {"open"},
}


class Marks(GetGrades):  # type: ignore[misc]
    """nbgrader's marks, and which answers are not marked yet: their score of 0 is no verdict."""

    def _get_score(self, cell: NotebookNode, resources: Any) -> None:
        names, metadata = resources["nbgrader"], cell.metadata.nbgrader
        grade = self.gradebook.find_grade(
            metadata["grade_id"], names["notebook"], names["assignment"], names["student"]
        )
        metadata["score"], metadata["points"] = grade.score, grade.max_score
        metadata["unmarked"] = grade.manual_score is None and grade.auto_score is None


class InertHTMLExporter(HTMLExporter):
    """The feedback page instead of nbgrader's: it says first what to fix, and nothing in it can act."""

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kwargs: Any) -> Any:
        from autograde.notebooks.nbgrader_settings import load_course_here

        # Past HTMLExporter, which would render nbgrader's own template.
        nb, resources = Exporter.from_notebook_node(self, nb, resources, **kwargs)
        names = resources["nbgrader"]
        work = load_course_here().open(names["assignment"])
        file = work.paths.report(names["student"])
        report = decode_report(file.read_bytes()) if file.exists() else None
        return make_inert_page(page.render(nb, names, work.title, report), work.title), resources


def make_inert_page(body: str, title: str) -> str:
    """A whole page with only our own styles in the head and nothing active in the body."""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{HEAD}\n<title>{html.escape(title)}</title>\n'
        f"{page.load_styles()}\n</head>\n<body>\n{sanitize_page(body)}\n</body>\n</html>\n"
    )


def sanitize_page(body: str) -> str:
    """Harmless tags only; images only if they lie in the page, links only to the page, http(s) or mail."""
    clean: str = nh3.clean(
        body,
        tags=PAGE_TAGS,
        attributes=PAGE_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=keep_safe_url,
    )
    return clean

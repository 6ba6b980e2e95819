"""Feedback pages that do nothing: no script, no foreign address, whatever the submission holds.

Covered: markup in cells, outputs and comments (the whole body is sanitized), and a policy that forbids all loading.
Not covered: mathematics is shown as its TeX source, because drawing it needs a script.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import nbformat
import nh3
from nbconvert.exporters import HTMLExporter
from nbformat.notebooknode import NotebookNode

from autograde.display import ATTRIBUTES, TAGS

PROBLEMS = "course_problems"
"""The key of a graded notebook's metadata under which the report's problems stand."""
MAX_PROBLEMS = 12
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
HEAD = f"""<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">"""
STYLE = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL | re.IGNORECASE)
REPORT_STYLE = """<style>
.exercise-report table { border-collapse: collapse; margin: 0.5em 0; }
.exercise-report th, .exercise-report td { border: 1px solid #999; padding: 0.2em 0.6em; text-align: left; }
.exercise-report pre { background: #f5f5f5; padding: 0.5em; overflow-x: auto; }
.exercise-report summary { font-weight: bold; }
.text_cell table { border-collapse: collapse; margin-bottom: 1em; }
.text_cell th, .text_cell td { padding: 0.1em 0.8em 0.1em 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.anchor-link { display: none; }
</style>"""
PAGE_TAGS = TAGS | {"img"}
PAGE_ATTRIBUTES = {
    **ATTRIBUTES,
    "*": {"class", "id"},
    "a": {"href", "title", "name"},
    "img": {"src", "alt"},
    "details": {"open"},
}


class InertHTMLExporter(HTMLExporter):
    """nbgrader's feedback page with a sanitized body and a Content-Security-Policy."""

    def from_notebook_node(self, nb: NotebookNode, resources: Any = None, **kwargs: Any) -> Any:
        shown = nbformat.from_dict(nb)
        for cell in shown.cells:
            if cell.get("metadata", {}).get("nbgrader", {}).get("grade"):  # the bare score, which only nbgrader needs
                cell["outputs"] = [out for out in cell.get("outputs", []) if out.output_type != "execute_result"]
        page, resources = super().from_notebook_node(shown, resources, **kwargs)
        problems = nb.metadata.get(PROBLEMS, [])
        return inert(_named(page), resources["nbgrader"]["notebook"], problems), resources


def _named(page: str) -> str:
    """nbgrader's list of contents calls every exercise `Test cell`; its links know better."""
    return re.sub(r'(<a href="#([\w-]+?)(?:-checks)?"[^>]*>)Test cell(</a>)', r"\1\2\3", page)


def inert(page: str, title: str, problems: Sequence[str] = ()) -> str:
    """The page with only its own styles in the head and nothing active in the body.

    `problems` are what was wrong with the file and its run, as plain text.
    """
    # The template's head holds no text of a student; all of it comes after the first <body>.
    head, found, body = page.partition("<body")
    if not found:
        raise ValueError("nbgrader's feedback template made a page without a body")
    body = body.partition(">")[2].rpartition("</body>")[0]
    styles = "\n".join(STYLE.findall(head))
    listed = "".join(f"<li>{html.escape(str(problem))}</li>" for problem in problems[:MAX_PROBLEMS])
    noted = f'<div class="container"><p><strong>About your notebook</strong></p><ul>{listed}</ul></div>' if listed else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{HEAD}\n<title>{html.escape(title)}</title>\n{styles}\n'
        f"{REPORT_STYLE}\n</head>\n<body>\n{sanitized(noted + body)}\n</body>\n</html>\n"
    )


def sanitized(body: str) -> str:
    """Harmless tags only; images only if they lie in the page, links only to the page, http(s) or mail."""
    clean: str = nh3.clean(
        body,
        tags=PAGE_TAGS,
        attributes=PAGE_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=_only_safe_urls,
    )
    return clean


def _only_safe_urls(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "src":
        return value if re.match(r"data:image/(png|jpeg);base64,", value) else None
    if attribute == "href" and value.lower().lstrip().startswith("data:"):
        return None
    return value

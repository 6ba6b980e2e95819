"""One student's graded notebook as a page to read: marks and what to fix first, then the notebook, cell by cell."""

from __future__ import annotations

import html
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import nh3
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat.notebooknode import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from autograde.notebooks.repair import is_locked
from autograde.notebooks.source import CHECKS
from autograde.pages.display import ATTRIBUTES, TAGS, keep_safe_url, load_template
from autograde.pages.feedback import count_outcomes, find_first_to_fix, format_points, format_problem
from autograde.pages.formulas import MATH_ATTRIBUTES, MATH_TAGS, extract_symbols, to_mathml
from autograde.report import Report
from autograde.text import to_plain_text

MAX_PROBLEMS = 12
MAX_LINES = 40
"""of an output that are shown at once, since the report on the answer is below it"""
MOST_SYMBOLS = 24
"""of a formula within a line, which no browser wraps; a longer one scrolls by itself where the screen is narrower"""
MAX_CELL = 100_000
"""characters of a cell that are shown; more is no answer but an attack on the reader's browser"""
OPENINGS = ("\\begin{", "\\\\[", "\\\\(")
MOST_OPENINGS = 200
"""of formulas in one cell: for the end of each one the reader of Markdown looks through all the rest"""


def render(notebook: NotebookNode, marks: Any, title: str, report: Report | None) -> str:
    """The body of the page. `marks` is what nbgrader's GetGrades gathered: score, max_score, late_penalty."""
    exercises = {exercise.exercise: exercise for exercise in report.exercises} if report else {}
    cells = [_describe_cell(cell) for cell in notebook.cells]
    parts = [cell for cell in cells if cell["anchor"]]
    for part in parts:
        exercise = exercises.get(part["name"])
        by_hand = "not marked yet" if part["unmarked"] else "marked by a person"
        part["changed"] = exercise is not None and part["score"] != format_points(exercise.score)
        part["first_to_fix"] = find_first_to_fix(exercise) if exercise else None
        part["words"] = count_outcomes(exercise) if exercise else by_hand
    unmarked = sum(float(part["points"]) for part in parts if part["unmarked"])
    body: str = load_template("page.html.j2").render(
        title=title,
        score=format_points(marks["score"]),
        max_score=format_points(marks["max_score"]),
        late_penalty=format_points(marks["late_penalty"]) if marks["late_penalty"] else "",
        unmarked=format_points(unmarked) if unmarked else "",
        problems=[cut_to_first_line(format_problem(problem)) for problem in report.problems[:MAX_PROBLEMS]]
        if report
        else [],
        parts=parts,
        to_fix=[part for part in parts if part["first_to_fix"]],
        cells=cells,
    )
    return body


def cut_to_first_line(text: str) -> str:
    """The first line, with an ellipsis if that is not all."""
    first, more, _ = to_plain_text(text, 500).strip().partition("\n")
    return f"{first} …" if more else first


@cache
def load_styles() -> str:
    """The page's own style sheet, with colours for code on light and on dark paper."""
    own = (Path(__file__).parents[1] / "templates" / "page.css").read_text(encoding="utf-8")
    light, dark = (
        HtmlFormatter(style=style, nobackground=True).get_style_defs(".code") for style in ("default", "github-dark")
    )
    return f"<style>\n{own}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n</style>"


def _describe_cell(cell: NotebookNode) -> dict[str, Any]:
    """What the template shows of one cell; each piece of HTML is sanitized alone, so none can close another's tag."""
    metadata = cell.metadata.get("nbgrader", {})
    grade, solution = bool(metadata.get("grade")), bool(metadata.get("solution"))
    name = str(metadata.get("grade_id", "")).removesuffix(CHECKS)
    outputs = [
        shown for output in cell.get("outputs", []) if (shown := _render_output(output, checks=grade and not solution))
    ]
    return {
        "kind": "answer" if solution else "checks" if grade else "text",
        "name": name,
        "anchor": f"part-{name}" if grade else "",
        "score": format_points(metadata.get("score") or 0),
        "points": format_points(metadata.get("points") or 0),
        "unmarked": bool(metadata.get("unmarked")),
        "body": _render_released_body(cell.cell_type, cell.source)
        if is_locked(cell)
        else _render_body(cell.cell_type, cell.source),
        "outputs": outputs,
        "comment": render_markdown(metadata["comment"], staff=True) if metadata.get("comment") else "",
    }


def _render_output(output: NotebookNode, checks: bool) -> Markup | None:
    """An output as HTML; of a cell of checks only the report, since its score is above."""
    if output.output_type == "stream":
        return _render_printed(output.text)
    if output.output_type == "error":
        return _render_preformatted("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")
    data = output.get("data", {})
    if checks and "text/html" not in data:
        return None
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return Markup('<p><img alt="picture that this cell drew" src="data:{};base64,{}"></p>').format(
                kind, data[kind].strip()
            )
    return (
        sanitize_fragment(data["text/html"], pictures=checks)
        if "text/html" in data
        else _render_printed(data.get("text/plain", ""))
    )


def _render_printed(text: str) -> Markup:
    """Its first lines, and the rest to unfold."""
    lines = to_plain_text(text).rstrip("\n").split("\n")
    first, rest = (_render_preformatted("\n".join(part)) for part in (lines[:MAX_LINES], lines[MAX_LINES:]))
    if len(lines) <= MAX_LINES:
        return first
    summary = "<details><summary>and {} more lines</summary>{}</details>"
    return first + Markup(summary).format(len(lines) - MAX_LINES, rest)


def _render_preformatted(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(to_plain_text(text))


def _render_body(kind: str, source: str, staff: bool = False) -> Markup:
    if kind == "markdown":
        return render_markdown(source, staff)
    if kind != "code":
        return _render_preformatted(source)
    formatter: Any = HtmlFormatter(cssclass="code")
    return Markup(highlight(to_plain_text(source, MAX_CELL), PythonLexer(), formatter))


@lru_cache(maxsize=256)
def _render_released_body(kind: str, source: str) -> Markup:
    """Of a cell that is the same on every student's page."""
    return _render_body(kind, source, staff=True)


def render_markdown(source: str, staff: bool = False) -> Markup:
    """Markdown as HTML, or as plain text if it opens more formulas than any answer needs.

    `staff`: the course's own words, whose formulas are drawn.
    """
    text = to_plain_text(source, MAX_CELL)
    if sum(map(text.count, OPENINGS)) > MOST_OPENINGS:
        return _render_preformatted(text)
    return sanitize_fragment(MarkdownWithMath(renderer=_Renderer(staff)).render(text), formulas=staff)


class _Renderer(IPythonRenderer):
    """Formulas as MathML; the students' own, and what cannot be converted, as TeX in the typeface of code."""

    def __init__(self, drawn: bool) -> None:
        super().__init__(escape=False, exclude_anchor_links=True)
        self.drawn = drawn

    def inline_math(self, body: str) -> str:
        if drawn := self.drawn and to_mathml(body):
            long = len(extract_symbols(drawn)) > MOST_SYMBOLS
            return f'<span class="formula" tabindex="0">{drawn}</span>' if long else drawn
        return f'<code class="tex">{html.escape(body)}</code>'

    def block_math(self, body: str) -> str:
        if drawn := self.drawn and to_mathml(body, block=True):
            return f'<div class="formula" tabindex="0">{drawn}</div>'
        return f'<pre><code class="tex">{html.escape(body.strip())}</code></pre>'


def sanitize_fragment(text: str, pictures: bool = False, formulas: bool = False) -> Markup:
    """A piece of HTML with harmless, closed tags only; also images that lie in the page, or MathML, if asked for."""
    classes = {"code": {"tex"}, "div": {"exercise-report", "formula", "pictures"}, "span": {"formula"}}
    attributes = {**ATTRIBUTES, "details": {"open"}, "img": {"alt", "src"}, **(MATH_ATTRIBUTES if formulas else {})}
    cleaned = nh3.clean(
        text,
        tags=TAGS | ({"img"} if pictures else set()) | (MATH_TAGS if formulas else set()),
        attributes=attributes,
        allowed_classes=classes,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=keep_safe_url,
    )
    return Markup(cleaned)

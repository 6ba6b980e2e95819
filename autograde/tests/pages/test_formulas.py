"""Formulas: the course's are drawn without a script, a student's stay text, and nothing but layout gets through."""

from __future__ import annotations

import re
import time
from pathlib import Path

import jupytext
import nbformat
import nh3
import pytest

from autograde.course import Course
from autograde.pages.formulas import MATH_TAGS, to_mathml
from autograde.pages.page import render_markdown
from autograde.records.gradebook import record, write_feedback
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.tiny_course import SLUG, submit

ROOT = Path(__file__).parents[3]


def test_formula_is_rendered() -> None:
    assert to_mathml(r"\sqrt{x}") == "<math><msqrt><mi>x</mi></msqrt></math>"
    assert to_mathml(r"\frac{1}{2}", block=True).startswith('<math display="block"><mfrac><mn>1</mn>')
    assert "<mi>RMSNorm</mi>" in to_mathml(r"\mathrm{RMSNorm}(x)")


@pytest.mark.parametrize("tex", [r"\frac{1", r"\nocommand x", r"\href{javascript:alert(1)}{x}", r"}{", "\\"])
def test_formula_that_cannot_be_converted_stays_as_written(tex: str) -> None:
    assert to_mathml(tex) == ""
    assert '<code class="tex">' in render_markdown(f"${tex}$ ", staff=True) or tex == "\\"


@pytest.mark.parametrize("tex", [r"\text{<img src=x onerror=alert(1)>}", r"\text{</math><script>1</script>}", r"x<y>z"])
def test_formula_contains_only_layout(tex: str) -> None:
    drawn = to_mathml(tex)
    assert {tag.lower() for tag in re.findall(r"<([a-zA-Z]+)", drawn)} <= MATH_TAGS
    assert nh3.clean(drawn, tags=MATH_TAGS) == nh3.clean(nh3.clean(drawn, tags=MATH_TAGS), tags=MATH_TAGS)


@pytest.mark.parametrize("source", sorted((ROOT / "source").glob("*.py")), ids=lambda path: path.stem)
def test_formula_of_every_assignment_is_rendered(source: Path) -> None:
    notebook = jupytext.read(source)
    drawn = [render_markdown(cell.source, staff=True) for cell in notebook.cells if cell.cell_type == "markdown"]
    assert not any('class="tex"' in page for page in drawn)


def test_formula_of_a_student_is_text(released: Course, fake_grader: FakeGrader) -> None:
    notebook = nbformat.read(released.open(SLUG).paths.released_notebook, 4)
    theirs = r"Because $\sqrt{2}$. <math><mi>y</mi></math>"
    next(cell for cell in notebook.cells if cell.id == "why")["source"] = theirs
    notebook.cells.append(nbformat.v4.new_markdown_cell(theirs))
    submit(released, "ann", notebook)
    assert record(released.open(SLUG), ["ann"]) == {}
    assert write_feedback(released.open(SLUG)) == {}
    page = released.open(SLUG).paths.feedback("ann").read_text()
    assert page.count(r'<code class="tex">\sqrt{2}</code>') == 2
    assert "<math" not in page


@pytest.mark.parametrize("opening", ["\\begin{a}", "\\\\[", "\\\\(", "$$ ", "$a "])
def test_formula_that_never_ends_takes_no_time(opening: str) -> None:
    start = time.process_time()
    assert "<pre>" in render_markdown(opening * (100_000 // len(opening))) or "$" in opening
    assert time.process_time() - start < 10  # 100 000 characters took minutes


@pytest.mark.parametrize(
    ("tex", "scrolls"), [("x^2", False), (r"\min(\rho A, \mathrm{clamp}(\rho, 1-c, 1+c) A)", True)]
)
def test_formula_within_a_line_scrolls_by_itself_if_it_is_long(tex: str, scrolls: bool) -> None:
    assert ('<span class="formula" tabindex="0"><math>' in render_markdown(f"with ${tex}$ here", staff=True)) is scrolls

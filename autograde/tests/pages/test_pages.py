"""Every page in a real browser: no error, no request, no barrier, usable by keyboard and without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest

from autograde.course import Course
from autograde.pages.inert import make_inert_page
from autograde.pages.page import render_markdown
from autograde.records.grade_changes import Change
from autograde.records.gradebook import record, write_feedback
from autograde.records.gradebook_status import GradebookStatus
from autograde.report import CellRun, Comparison, Outcome, Problem, ProblemKind, Verdict
from autograde.reports.changes_page import render_changes_page
from autograde.reports.class_page import render_class_page
from autograde.reports.class_status import ClassStatus, Unfinished
from autograde.reports.term_report import render_term_page, summarise_assignment
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.machine import chromium
from autograde.tests.report_builders import make_report, make_verdict
from autograde.tests.tiny_course import SLUG, submit
from autograde.verification import problems as verification_problems
from autograde.verification.page import render_verification_page
from autograde.verification.result import Verification

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.needs("playwright", "axe_playwright_python"), pytest.mark.machine("chromium")]

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e'\"=1+1\x1b[31m"
COMPARISON = Comparison(
    what="the result", of=[2, 3, 3], start=[1, 0, 0], shape=[3, 3], got=[1.0, 0.5, "nan", 0.0, 1.0, 0.5, 0.0, 0.0, 1.0],
    wrong=[1, 2, 5], expected=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
)  # fmt: skip
WRONG: dict[str, Any] = {
    "reason": f"3 of 9 values wrong {HOSTILE}", "hint": "You mask after the softmax.", "replay": f"scale({HOSTILE!r})",
    "comparison": COMPARISON, "answer": "a1", "margin": 4.0,
}  # fmt: skip

STOPPED = Problem(kind=ProblemKind.CELL_STOPPED, cell="x", text=HOSTILE)


def three_passed_and(outcome: Outcome, **found: Any) -> list[Verdict]:
    """The verdicts on four checks, of which the first three passed."""
    passed = [make_verdict(f"check {number} holds") for number in range(3)]
    return [*passed, make_verdict("check 9 holds", outcome, **found)]


CLASS = [
    make_report(student, three_passed_and(outcome, **found), problems=[STOPPED])
    for student, outcome, found in (
        ("ada", Outcome.PASSED, {}),
        ("bob", Outcome.FAILED, WRONG),
        ("cy", Outcome.FAILED, WRONG),
        ("dee", Outcome.CRASHED, {"reason": HOSTILE, "traceback": HOSTILE}),
        ("eve", Outcome.TIMED_OUT, {}),
        ("fay", Outcome.WAITING, {"reason": "waits for: check 1 holds"}),
        (HOSTILE, Outcome.BROKEN, {"reason": HOSTILE}),
    )
]


LEFT = Unfinished(not_graded={HOSTILE: HOSTILE}, withheld=[HOSTILE], changed=2)


def the_class() -> str:
    gradebook_statuses = {"ada": GradebookStatus(late_s=60.0), "cy": GradebookStatus(to_mark=("why",), submission="0f")}
    return render_class_page("Scale", CLASS, ClassStatus(SLUG, gradebook_statuses), LEFT)


def the_term() -> str:
    return render_term_page(
        "a course",
        [
            summarise_assignment("Scale", CLASS, ClassStatus(SLUG)),
            summarise_assignment(HOSTILE, CLASS[:3], ClassStatus("other")),
        ],
    )


def the_verification() -> str:
    found = Verification(
        SLUG,
        problems=[
            verification_problems.Problem(kind=verification_problems.ProblemKind.CELL_STOPS, cell="x", reason=HOSTILE)
        ],
        checks=["scale: one", f"scale: {HOSTILE}"],
        places={("scale", "test_one"): 0, ("scale", "test_two"): 1},
        kills={"adds": [0], "idle": []},
    )
    found.named, found.nearest_right, found.nearest_wrong = {"adds": "adds"}, {0: (0.3, "right/a")}, {0: (99.0, "adds")}
    return render_verification_page("Scale", found)


def the_changes() -> str:
    found = [
        Change(student, 1.0, after, {"scale": (1.0, after), HOSTILE: (0.0, 1e-9)}, ("checks", "engine"))
        for student, after in ((HOSTILE, 3.0), ("bob", 3.0), ("cy", 0.5))
    ]
    reports = {report.student: report for report in CLASS}
    room = ClassStatus(SLUG, {"cy": GradebookStatus(submission="0f")}, with_feedback=frozenset({"bob"}))
    return render_changes_page(HOSTILE, found, reports, room, has_class_page=True)


PAGES: dict[str, Callable[[], str]] = {
    "class": the_class,
    "term": the_term,
    "verify": the_verification,
    "changes": the_changes,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        opened = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield opened
        opened.close()


def opened(browser: Any, path: Path, **options: Any) -> Any:
    """The page in a window of its own, with `errors` and `requests` gathered."""
    context = browser.new_context(**options)
    context.set_offline(True)
    page = context.new_page()
    page.gathered = []
    page.on("console", lambda message: page.gathered.append(message.text))
    page.on("pageerror", lambda error: page.gathered.append(str(error)))
    page.on("request", lambda request: page.gathered.append(request.url) if asks(request.url, path) else None)
    page.goto(path.as_uri())
    return page


def asks(url: str, path: Path) -> bool:
    return not url.startswith("data:") and url.partition("#")[0] != path.as_uri()


def expect_sound(browser: Any, path: Path) -> None:
    """No error, no request, no barrier, nothing hostile alive; light and dark, wide and narrow."""
    from axe_playwright_python.sync_playwright import Axe

    for scheme, width in (("light", 1200), ("dark", 390)):
        page = opened(browser, path, color_scheme=scheme, viewport={"width": width, "height": 800})
        title = page.title()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("[...document.images].every((i) => i.alt && i.complete && i.naturalWidth > 0)")
        assert page.evaluate("document.querySelectorAll('script').length") <= 1
        assert (title, page.gathered) == (page.title(), [])
        assert title != "owned"
        assert not {"\x1b", "\u202e"} & set(page.content())
        page.context.close()


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        path = tmp_path / f"{name}.html"
        path.write_text(PAGES[name](), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", PAGES)
def test_page_for_staff_is_sound(browser: Any, page_of: Callable[[str], Path], name: str) -> None:
    expect_sound(browser, page_of(name))


def test_page_for_a_student_is_sound_and_small(browser: Any, released: Course, fake_grader: FakeGrader) -> None:
    notebook = nbformat.read(released.open(SLUG).paths.released_notebook, 4)
    notebook.cells[-1]["source"] = f"$\\sqrt{{2}}$ <math><mi>x</mi></math> {HOSTILE}"
    submit(released, "ann", notebook)
    points = 4 / 7
    many = [
        make_verdict(f"c{number}", Outcome.FAILED, max_points=points, **WRONG | {"hint": f"hint {number}"})
        for number in range(5)
    ]
    others = [
        make_verdict(outcome.value, outcome, max_points=points, reason=HOSTILE)
        for outcome in (Outcome.WAITING, Outcome.CRASHED)
    ]
    printed = [{"output_type": "stream", "name": "stdout", "text": HOSTILE * 200_000}]  # some 20 MB
    cells = [CellRun(cell="scale", outputs=printed)]
    fake_grader.reports["ann"] = make_report("ann", [*many, *others], cells=cells)
    assert record(released.open(SLUG), ["ann"]) == {}
    assert write_feedback(released.open(SLUG)) == {}
    path = released.open(SLUG).paths.feedback("ann")
    assert path.stat().st_size < 300_000
    text = path.read_text()
    assert 'alt="Heat map: part [1, 0:3, 0:3] of the result' in text
    assert "every value above the diagonal" in text
    assert str(released.root) not in text
    expect_sound(browser, path)


@pytest.mark.parametrize("slug", ["grpo", "moe", "sft"])
def test_page_is_not_widened_by_a_wide_formula(browser: Any, tmp_path: Path, slug: str) -> None:
    notebook = jupytext.read(ROOT / "source" / f"{slug}.py")
    text = "".join(render_markdown(cell.source, staff=True) for cell in notebook.cells if cell.cell_type == "markdown")
    path = tmp_path / f"{slug}.html"
    path.write_text(make_inert_page(f"<main>{text}</main>", slug), encoding="utf-8")
    page = opened(browser, path, viewport={"width": 390, "height": 800})
    wider = "[...document.querySelectorAll('.formula')].some((one) => one.scrollWidth > one.clientWidth && one.tabIndex === 0)"
    assert page.evaluate(wider)
    page.context.close()
    expect_sound(browser, path)


def test_page_filters_and_sorting_work_by_keyboard(browser: Any, page_of: Callable[[str], Path]) -> None:
    page = opened(browser, page_of("class"))
    left = (
        "[...document.querySelectorAll('#matrix tbody tr')].filter((r) => !r.hidden).map((r) => r.cells[0].innerText)"
    )
    tab_to(page, "document.activeElement.name === 'name'")
    page.keyboard.type("Y")
    assert [name.split()[0] for name in page.evaluate(left)] == ["cy", "fay"]
    assert page.locator("[role=status]").inner_text() == "2 of 7 shown"
    tab_to(page, "document.activeElement.textContent === 'Show all'")
    page.keyboard.press("Enter")
    assert len(page.evaluate(left)) == 7
    for field, typed, names in (("check", "4", 7), ("outcome", "", 2), ("flag", "to", 1)):
        tab_to(page, f"document.activeElement.name === '{field}'")
        page.keyboard.type(typed)
        for _ in range(2 if field == "outcome" else 0):  # past "any" and "passed"
            page.keyboard.press("ArrowDown")
        assert len(page.evaluate(left)) == names
    tab_to(page, "document.activeElement.textContent === 'Show all'")
    page.keyboard.press("Space")
    tab_to(page, "document.activeElement.textContent === 'Points'")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.ariaSort") == "ascending"
    assert page.evaluate(left)[-1] == "ada"
    page.context.close()


def tab_to(page: Any, reached: str) -> None:
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(reached):
            return
    pytest.fail(f"no number of tabs leads to {reached}")


def test_page_is_complete_without_scripts(browser: Any, page_of: Callable[[str], Path]) -> None:
    page = opened(browser, page_of("class"), java_script_enabled=False)
    assert page.locator("#matrix tbody tr").count() == len(CLASS)
    assert not page.locator(".filters").is_visible()
    page.context.close()

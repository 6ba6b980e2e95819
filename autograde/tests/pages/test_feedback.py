"""What students read: complete, escaped, inert."""

from __future__ import annotations

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograde.course import Course
from autograde.grading.verdicts import NOT_WRITTEN
from autograde.pages.display import sanitize_html
from autograde.pages.feedback import find_first_to_fix, format_exercise, render_exercise
from autograde.pages.inert import make_inert_page
from autograde.records.gradebook import record, write_feedback
from autograde.report import CellRun, ExerciseReport, Outcome, Problem, ProblemKind, Verdict
from autograde.tests.dangers import find_dangers
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report
from autograde.tests.tiny_course import SLUG, submit

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)><style>*{display:none}</style>"
    "<a href='javascript:alert(3)'>go</a><svg onload=alert(4)><script>5</script></svg><iframe src=//evil></iframe>"
    "</section></main></details></body><script>alert(6)</script><a href='data:text/html,x'>d</a><form action=//evil><input></form>"
)


def verdict(outcome: Outcome, **texts: str) -> Verdict:
    return Verdict(check="c", title=texts.pop("title", "a title"), outcome=outcome, points=0.0, max_points=2, **texts)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_feedback_puts_every_outcome_into_words(outcome: Outcome) -> None:
    report = ExerciseReport(
        exercise="scale", verdicts=[verdict(outcome, hint="Try *.", reason="It is 3.", replay="f(1)")]
    )
    page = render_exercise(report)
    for words in ("0 of 2 points", "a title", "Try *.", "It is 3.", "f(1)"):
        assert words in format_exercise(report)
        assert (words in page) == (outcome is not Outcome.BROKEN or words in ("0 of 2 points", "a title"))
    if outcome is Outcome.BROKEN:
        assert "our fault" in format_exercise(report)
        assert "costs you nothing" in page


def test_feedback_escapes_all_text() -> None:
    fields = {name: HOSTILE + "\x1b[31m" for name in ("title", "reason", "hint", "replay", "traceback")}
    page = render_exercise(ExerciseReport(exercise=HOSTILE, verdicts=[verdict(Outcome.CRASHED, **fields)]))
    assert find_dangers(page) == []
    assert "\x1b" not in page
    assert "&lt;script&gt;" in sanitize_html(page)


def test_feedback_pages_are_inert(released: Course, fake_grader: FakeGrader) -> None:
    notebook = nbformat.read(released.open(SLUG).paths.released_notebook, 4)
    notebook.cells[-1]["source"] = HOSTILE + "\n\n[go](javascript:alert(7)) ![x](http://evil/x.png)"
    notebook.cells.append(nbformat.v4.new_markdown_cell(HOSTILE))
    notebook.cells.append(nbformat.v4.new_raw_cell(HOSTILE))
    submit(released, "ann", notebook)
    outputs = [{"output_type": "display_data", "data": {"text/html": HOSTILE, "image/svg+xml": HOSTILE}}]
    outputs.append({"output_type": "stream", "name": "stdout", "text": HOSTILE})
    report = make_report(points=2.0, cells=[CellRun(cell="scale", outputs=outputs)])
    fake_grader.reports["ann"] = report
    assert record(released.open(SLUG), ["ann"]) == {}
    graded = nbformat.read(released.open(SLUG).paths.autograded("ann") / f"{SLUG}.ipynb", 4)
    # Formgrader renders these as they are.
    assert all(find_dangers(cell.source) == [] for cell in graded.cells if cell.cell_type != "code")
    assert write_feedback(released.open(SLUG)) == {}
    page = released.open(SLUG).paths.feedback("ann").read_text()
    assert find_dangers(page) == []
    assert "Content-Security-Policy" in page
    assert "2 of 4 points" in page
    assert page.count("</body>") == 1
    body = page.partition("<body>")[2]
    assert "<style" not in body
    # No cell can end the frame that the page puts around it.
    assert page.count("</main>") == page.count("<main>") == 1
    assert page.rindex("<section") < page.rindex("</section>") < page.index("</main>")


def test_feedback_names_an_answer_that_is_not_marked_yet(released: Course, fake_grader: FakeGrader) -> None:
    notebook = nbformat.read(released.open(SLUG).paths.released_notebook, 4)
    next(cell for cell in notebook.cells if cell.id == "why")["source"] = "Because it is linear: $f(2x) = 2 f(x)$."
    submit(released, "ann", notebook)
    fake_grader.reports["ann"] = make_report(problems=[stopped("stopped after 30 s")])
    assert record(released.open(SLUG), ["ann"]) == {}
    page = feedback_of(released, "ann")
    assert "2 points are <strong>not marked yet</strong>" in page
    assert "cell scale: stopped after 30 s" in page
    assert '<code class="tex">f(2x) = 2 f(x)</code>' in page
    with Gradebook(released.gradebook_url, released.name) as gradebook:
        gradebook.find_grade("why", SLUG, SLUG, "ann").manual_score = 1.5
        gradebook.find_grade("scale-checks", SLUG, SLUG, "ann").manual_score = 3.0
        gradebook.find_comment("why", SLUG, SLUG, "ann").manual_comment = "Say *why*. <script>1</script>"
        gradebook.db.commit()
    page = feedback_of(released, "ann")
    assert "not marked yet" not in page
    assert "why: 1.5 of 2 points" in page
    assert "a person set the mark to 3 of 4 points" in page
    assert "Say <em>why</em>." in page
    assert find_dangers(page) == []


def test_feedback_outputs_hide_nothing_below_them(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann")
    printed = "".join(f"step {number}\n" for number in range(1000))
    outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in (printed, "all is well\n")]
    fake_grader.reports["ann"] = make_report(points=2.0, cells=[CellRun(cell="scale", outputs=outputs)])
    assert record(released.open(SLUG), ["ann"]) == {}
    page = feedback_of(released, "ann")
    shown, folded = page.split("<details><summary>and 960 more lines</summary>")
    assert "step 39</pre>" in shown
    assert "step 40\n" in folded
    assert "<pre>all is well</pre>" in page


def stopped(error: str) -> Problem:
    return Problem(kind=ProblemKind.CELL_STOPPED, cell="scale", text=error)


def feedback_of(course: Course, student: str) -> str:
    assert write_feedback(course.open(SLUG)) == {}
    return course.open(SLUG).paths.feedback(student).read_text()


def test_feedback_says_once_what_applies_to_many_checks() -> None:
    same = [
        verdict(Outcome.CRASHED, title=title, reason="the notebook ended its own process") for title in ("one", "two")
    ]
    other = verdict(Outcome.FAILED, title="three", reason="it is 3")
    page = render_exercise(ExerciseReport(exercise="scale", verdicts=[same[0], other, same[1]]))
    assert page.count("ended its own process") == 1
    assert page.count("<details") == 2
    assert all(page.count(title) == 2 for title in ("one", "two", "three"))


def test_feedback_what_to_fix_is_the_first_check_that_cost_points() -> None:
    def first_to_fix(*verdicts: Verdict) -> dict[str, str] | None:
        return find_first_to_fix(ExerciseReport(exercise="scale", verdicts=list(verdicts)))

    noted = Verdict(check="n", title="noted", outcome=Outcome.FAILED, points=0, max_points=0, reason="noted only")
    first = verdict(Outcome.FAILED, title="first", hint="Try *.", reason="it is 3")
    waiting = verdict(Outcome.WAITING, title="later", reason="waits for: first")
    assert first_to_fix(waiting, noted, first) == {"symbol": "✗", "title": "first", "advice": "Try *."}
    assert first_to_fix(waiting, noted) is None
    assert first_to_fix(verdict(Outcome.NOT_WRITTEN, reason=NOT_WRITTEN)) == {
        "symbol": "✗",
        "title": NOT_WRITTEN,
        "advice": "",
    }
    assert first_to_fix(verdict(Outcome.CRASHED, reason="IndexError\nat line 3")) == {
        "symbol": "‼", "title": "a title", "advice": "IndexError",
    }  # fmt: skip
    assert "loop" in (first_to_fix(verdict(Outcome.TIMED_OUT)) or {})["advice"]


def test_feedback_begins_with_what_to_fix(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ann")
    fake_grader.reports["ann"] = make_report(points=1.0)
    assert record(released.open(SLUG), ["ann"]) == {}
    page = feedback_of(released, "ann")
    assert ">scale</a>: ✗ any number is scaled</li>" in page
    assert page.index("What to mend first") < page.index("<main>")


def test_feedback_backticks_are_the_only_markup() -> None:
    found = verdict(Outcome.FAILED, reason="no `scale`", hint="`.view` <b>or</b> `<i>x</i>`; a ` alone")
    page = render_exercise(ExerciseReport(exercise="scale", verdicts=[found]))
    assert "<p>no <code>scale</code></p>" in page
    hint = "<code>.view</code> &lt;b&gt;or&lt;/b&gt; <code>&lt;i&gt;x&lt;/i&gt;</code>; a ` alone"
    assert hint in page
    assert hint in sanitize_html(page)


def test_feedback_policy_forbids_scripts() -> None:
    page = make_inert_page("<p>x</p><script>1</script>", "<t>")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "script-src" not in page
    assert "&lt;t&gt;" in page


def test_feedback_shows_problems_as_text_at_the_top(released: Course, fake_grader: FakeGrader) -> None:
    submit(released, "ada")
    fake_grader.reports = {"ada": make_report(problems=[stopped("<b>NameError</b>")])}
    record(released.open(SLUG), ["ada"])
    assert write_feedback(released.open(SLUG)) == {}
    page = released.open(SLUG).paths.feedback("ada").read_text()
    assert "<li>cell scale: &lt;b&gt;NameError&lt;/b&gt;</li>" in page
    assert ">scale</a>" in page
    assert "Test cell" not in page

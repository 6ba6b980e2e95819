"""The TA's page: right numbers, nothing that a student wrote comes alive, usable without a mouse."""

from __future__ import annotations

import csv
import dataclasses
import io
from pathlib import Path

import msgspec
import pytest
from bs4 import BeautifulSoup

from autograde.course import Course, CourseError
from autograde.grading.digests import Version
from autograde.pages.display import escape_formula
from autograde.records.audit_log import GRADED, WITHHELD, Entry, append
from autograde.records.gradebook_status import GradebookStatus
from autograde.report import (
    ExerciseReport,
    Outcome,
    Problem,
    ProblemKind,
    Report,
    Verdict,
    group_students_by_hint,
    write_report,
)
from autograde.reports.class_page import is_rule_broken, render_class_page
from autograde.reports.class_report import format_class_table, write_class_report
from autograde.reports.class_status import ClassStatus, Unfinished, read_class_status, read_unfinished
from autograde.reports.item_statistics import compute_items, find_clusters, find_hardest
from autograde.reports.term_report import format_term_table, is_behind, render_term_page, summarise_assignment
from autograde.tests.report_builders import make_report, make_verdict
from autograde.tests.tiny_course import SLUG, submit

HOSTILE = "<script>alert(1)</script>"


def one_and_two(one: Outcome, two: Outcome, hint: str = "") -> list[Verdict]:
    """The verdicts on two checks of two points each."""
    return [
        make_verdict("one", one, title="title of one", max_points=2, hint=hint),
        make_verdict("two", two, title="title of two", max_points=2),
    ]


CLASS = [
    make_report("ada", one_and_two(Outcome.PASSED, Outcome.PASSED)),
    make_report("bob", one_and_two(Outcome.PASSED, Outcome.FAILED)),
    make_report("cy", one_and_two(Outcome.FAILED, Outcome.WAITING, "You add.")),
    make_report("dee", one_and_two(Outcome.FAILED, Outcome.WAITING, "You add.")),
]


def test_class_report_counts_a_check_over_students_who_met_it() -> None:
    one, two = compute_items(CLASS).values()
    assert (one.difficulty, two.difficulty) == (0.5, 0.5)
    assert one.outcomes == {Outcome.PASSED: 2, Outcome.FAILED: 2}
    assert one.discrimination == pytest.approx(0.577, abs=1e-3)


def test_class_report_checks_without_points_are_not_hard() -> None:
    noted = make_verdict("noted", Outcome.FAILED, max_points=0)
    other = make_report("a", [noted, make_verdict("other", Outcome.FAILED)])
    assert [item.title for item in find_hardest(compute_items([other, *CLASS]).values())] == [
        "other",
        "title of one",
        "title of two",
    ]


def test_item_statistics_check_that_all_pass_has_no_discrimination() -> None:
    same = [make_report(name, one_and_two(Outcome.PASSED, Outcome.PASSED)) for name in ("ada", "bob")]
    assert [item.discrimination for item in compute_items(same).values()] == [None, None]


def test_class_report_misconceptions_name_their_students() -> None:
    assert group_students_by_hint(CLASS) == [("You add.", ["cy", "dee"])]


def test_class_report_shows_every_student_and_check() -> None:
    status = ClassStatus(
        SLUG, {"bob": GradebookStatus(late_s=1.0, to_mark=("why",), submission="7f")}, with_feedback=frozenset({"cy"})
    )
    page = BeautifulSoup(render_class_page("Scale", CLASS, status), "html.parser")
    assert "4 graded, 1 with full marks, mean 1.5, median 1 of 4 points" in page.text
    assert "1 still to be marked by hand" in page.text
    rows = page.find("div", class_="grid").find("tbody").find_all("tr")
    assert [[cell.text for cell in row.find_all(["th", "td"])] for row in rows] == [
        ["ada", "4 / 4", "", "✓", "✓"],
        ["bob mark", "2 / 4", "late", "✓", "✗"],
        ["cy", "0 / 4", "", "✗", "…"],
        ["dee", "0 / 4", "", "✗", "…"],
    ]
    assert page.find("a", string="mark")["href"] == "http://localhost:8888/formgrader/submissions/7f/"
    assert page.find("a", string="dee")["href"] == f"{SLUG}/dee.json"
    assert page.find("a", string="cy")["href"] == f"../feedback/cy/{SLUG}/{SLUG}.html"


def test_class_report_begins_with_what_is_to_be_done() -> None:
    status = ClassStatus(SLUG, {"bob": GradebookStatus(to_mark=("why",))}, with_feedback=frozenset({"ada"}))
    left = Unfinished({"gone": "No file was handed in."}, ["flo"])
    page = BeautifulSoup(render_class_page("Scale", CLASS, status, left), "html.parser")
    todo = " ".join(page.find("h2", string="To do").find_next("ul").text.split())
    assert "A check is broken: the latest reports of 1 student are withheld (flo)" in todo
    assert "gone: No file was handed in." in todo
    assert "1 still to be marked by hand" in todo
    assert f"3 students without feedback yet: run course feedback {SLUG}" in todo
    assert "other points" not in todo
    changed = render_class_page("Scale", CLASS, status, Unfinished(changed=2))
    assert f'<a href="{SLUG}-changes.html">2 students would see other points than before</a>' in changed
    done = render_class_page("Scale", CLASS, ClassStatus(SLUG, with_feedback=frozenset(r.student for r in CLASS)))
    assert "Nothing: all submissions are graded and marked, and all students have feedback." in done


def test_class_report_says_why_a_student_is_not_graded(released: Course) -> None:
    submit(released, "ada")
    released.open(SLUG).paths.submitted("gone").mkdir(parents=True)
    found = read_unfinished(released.open(SLUG), graded=["bob"])
    assert found.not_graded == {"ada": f"run `course grade {SLUG}`", "gone": f"No file {SLUG}.ipynb was handed in."}
    version = Version(submission="s", checks="c", policies="p", engine="e")
    facts = {"when": "", "who": "ta", "assignment": SLUG, "student": "ada", "version": version}
    append(released, [Entry(event=GRADED, after=1.0, **facts), Entry(event=WITHHELD, **facts)])
    found = read_unfinished(released.open(SLUG), graded=["bob"])
    assert (list(found.not_graded), found.withheld) == (["gone"], ["ada"])
    append(released, [Entry(event=GRADED, after=2.0, **facts)])
    assert read_unfinished(released.open(SLUG), graded=["ada"]).withheld == []


def test_class_report_missing_work_breaks_no_rule() -> None:
    def noted(outcome: Outcome, points: float = 2, max_points: float = 0) -> bool:
        verdicts = [make_verdict(points=points, max_points=2), make_verdict("rule", outcome, max_points=max_points)]
        return is_rule_broken(ExerciseReport(exercise="scale", verdicts=verdicts))

    assert noted(Outcome.FAILED)
    assert not noted(Outcome.NOT_WRITTEN)
    assert not noted(Outcome.FAILED, points=0)
    assert not noted(Outcome.FAILED, max_points=1)


def test_class_report_lists_stopped_cells_but_no_public_check() -> None:
    problems = [
        Problem(kind=ProblemKind.CELL_STOPPED, cell="scale", text="stopped after 30 s"),
        Problem(kind=ProblemKind.EXAMPLE_FAILED, cell="scale-checks", text="AssertionError in line 1"),
        Problem(kind=ProblemKind.REPAIRED, cell="x", text="Cell 'x' was missing."),
    ]
    page = render_class_page("Scale", [msgspec.structs.replace(CLASS[0], problems=problems)], ClassStatus(SLUG))
    shown = [
        item.text for item in BeautifulSoup(page, "html.parser").find(id="problems").find_next("ul").find_all("li")
    ]
    assert shown[1:] == ["cell scale: stopped after 30 s", "Cell 'x' was missing."]


def test_class_report_links_to_the_formgrader(tiny_course: Course) -> None:
    course = dataclasses.replace(tiny_course, formgrader="https://hub.example.org/formgrader/")
    assert read_class_status(course.open(SLUG)).formgrader == "https://hub.example.org/formgrader"
    assert read_class_status(course.open(SLUG), "http://elsewhere").formgrader == "http://elsewhere"


def test_class_report_is_inert() -> None:
    """Nothing that a student wrote becomes markup or script."""
    problems = [Problem(kind=ProblemKind.REPAIRED, text=text) for text in (HOSTILE, "\x1b[31m")]
    verdicts = one_and_two(Outcome.FAILED, Outcome.FAILED, HOSTILE)
    hostile = make_report(f"eve{HOSTILE}\u202e", verdicts, problems=problems)
    text = render_class_page(HOSTILE, [hostile], ClassStatus(SLUG), Unfinished({HOSTILE: HOSTILE}, [HOSTILE]))
    page = BeautifulSoup(text, "html.parser")
    assert page.find_all(["img", "iframe", "link"]) == []
    [script] = page.find_all("script")
    assert script.string.startswith('"use strict";')
    assert "\x1b" not in text
    assert page.find("meta", attrs={"http-equiv": True})["content"].startswith("default-src 'none'")


def test_class_report_table_can_be_read_back_and_has_no_formula() -> None:
    formula = make_report("=1+1", one_and_two(Outcome.PASSED, Outcome.FAILED))
    rows = list(csv.DictReader(io.StringIO(format_class_table([*CLASS, formula]))))
    assert len(rows) == 10
    assert rows[-1]["student"] == "'=1+1"
    assert (rows[0]["outcome"], float(rows[0]["points"])) == ("passed", 2.0)
    assert [escape_formula(value) for value in ("-x", -1.0, "@a", "a")] == ["'-x", "-1.0", "'@a", "a"]


def test_class_report_is_written_next_to_the_reports(tiny_course: Course) -> None:
    with pytest.raises(CourseError, match="run `course grade"):
        write_class_report(tiny_course.open(SLUG))
    for report in CLASS:
        write_report(report, tiny_course.open(SLUG).paths.report(report.student))
    page, *tables = write_class_report(tiny_course.open(SLUG))
    assert page.name == f"{SLUG}.html"
    assert [table.name for table in tables] == [f"{SLUG}.csv", f"{SLUG}-checks.csv", f"{SLUG}-misconceptions.csv"]
    assert list(csv.reader(tables[2].read_text().splitlines())) == [
        ["misconception", "student"],
        ["You add.", "cy"],
        ["You add.", "dee"],
    ]
    checks = list(csv.DictReader(tables[1].read_text().splitlines()))
    assert (checks[0]["difficulty"], checks[0]["passed"], checks[1]["waiting"]) == ("0.5", "2", "2")
    assert page.parent == Path(tiny_course.root / "reports")
    assert page.stat().st_size < 60_000


def test_class_report_of_a_thousand_students_is_small() -> None:
    """tools/bench/pages.py measures how soon."""
    outcomes = [Outcome.PASSED, Outcome.FAILED] * 12
    verdicts = [
        make_verdict(str(number), outcome, title=f"title of {number}", max_points=2, hint="You add.")
        for number, outcome in enumerate(outcomes)
    ]
    many = [make_report(f"student-{number}", verdicts) for number in range(1000)]
    assert len(render_class_page("Scale", many, ClassStatus(SLUG))) < 1_500_000


def answered(student: str, answer: str, hint: str = "") -> Report:
    found = {"answer": answer, "hint": hint, "reason": "3 of 4 values wrong", "margin": 4.0}
    return make_report(student, [make_verdict("one", Outcome.FAILED, title="title of one", max_points=2, **found)])


def test_class_report_groups_the_same_wrong_answers() -> None:
    """Those without a misconception come first."""
    known = [answered(name, "x", "You add.") for name in ("a", "b", "c")]
    unknown = [answered(name, "y") for name in ("d", "e")]
    found = find_clusters([*known, *unknown, answered("f", "z"), *CLASS])
    assert [(cluster.students, cluster.explained) for cluster in found] == [
        (("d", "e"), False),
        (("a", "b", "c"), True),
    ]
    page = render_class_page("Scale", unknown, ClassStatus(SLUG))
    assert "No known misconception." in page
    assert "4.0 times the tolerance" in page


def test_class_report_exception_hints_are_no_misconceptions() -> None:
    crashed = make_verdict("one", Outcome.CRASHED, hint="Print both shapes.")
    assert group_students_by_hint([make_report("a", [crashed])]) == []


def test_term_report_names_students_who_fall_behind() -> None:
    summaries = [summarise_assignment(slug, CLASS, ClassStatus(slug)) for slug in ("one", "two")]
    assert [student for student in ("ada", "bob", "cy", "dee") if is_behind(student, summaries)] == ["cy", "dee"]
    assert not is_behind("cy", summaries[:1])
    rows = list(csv.DictReader(io.StringIO(format_term_table(summaries))))
    assert rows[1] == {"student": "bob", "one": "0.5", "two": "0.5"}
    assert summaries[0].misconception == "2 × You add."
    page = BeautifulSoup(render_term_page("a course", summaries), "html.parser")
    assert "2 had less than half of the points" in page.text
    assert [link["href"] for link in page.find_all("a", string="cy")] == ["two/cy.json"]
    shares = [(link.text, link["href"]) for link in page.find(id="matrix").find_all("a")]
    assert shares[:2] == [("100%", "one/ada.json"), ("100%", "two/ada.json")]
    assert "This list begins with the second assignment" in render_term_page("a course", summaries[:1])

"""The TA's page: right numbers, nothing that a student wrote comes alive, usable without a mouse."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest
from bs4 import BeautifulSoup

from autograde.class_report import class_page, class_table, harmless, items, write_class_report
from autograde.course import Course, CourseError
from autograde.report import ExerciseReport, Outcome, Report, Verdict, ideas, write_report
from autograde.tests.tiny_course import SLUG

HOSTILE = "<script>alert(1)</script>"


def verdict(check: str, outcome: Outcome, points: float = 0.0, **text: str) -> Verdict:
    return Verdict(check=check, title=f"title of {check}", outcome=outcome, points=points, max_points=2, **text)


def a_report(student: str, first: Outcome, second: Outcome, hint: str = "") -> Report:
    verdicts = [
        verdict("one", first, 2.0 if first is Outcome.PASSED else 0.0, hint=hint),
        verdict("two", second, 2.0 if second is Outcome.PASSED else 0.0),
    ]
    exercise = ExerciseReport(exercise="scale", verdicts=verdicts)
    return Report(assignment=SLUG, student=student, digest="d", exercises=[exercise])


CLASS = [
    a_report("ada", Outcome.PASSED, Outcome.PASSED),
    a_report("bob", Outcome.PASSED, Outcome.FAILED),
    a_report("cy", Outcome.FAILED, Outcome.WAITING, "You add."),
    a_report("dee", Outcome.FAILED, Outcome.WAITING, "You add."),
]


def test_each_check_is_counted_over_those_who_met_it() -> None:
    one, two = items(CLASS).values()
    assert (one.difficulty, two.difficulty) == (0.5, 0.5)
    assert one.outcomes == {Outcome.PASSED: 2, Outcome.FAILED: 2}
    assert one.discrimination == pytest.approx(0.577, abs=1e-3)


def test_a_check_that_all_pass_has_no_agreement() -> None:
    same = [a_report(name, Outcome.PASSED, Outcome.PASSED) for name in ("ada", "bob")]
    assert [item.discrimination for item in items(same).values()] == [None, None]


def test_ideas_name_those_who_hold_them() -> None:
    assert ideas(CLASS) == [("You add.", ["cy", "dee"])]


def test_the_page_shows_every_student_and_check() -> None:
    page = BeautifulSoup(class_page("Scale", SLUG, CLASS, ["bob"]), "html.parser")
    assert "4 graded, 1 with full marks, mean 1.5, median 1 of 4 points" in page.text
    assert "1 still to be marked in formgrader: bob" in page.text
    rows = page.find("div", class_="grid").find("tbody").find_all("tr")
    assert [[cell.text for cell in row.find_all(["th", "td"])] for row in rows] == [
        ["ada", "4 / 4", "✓", "✓"],
        ["bob", "2 / 4", "✓", "✗"],
        ["cy", "0 / 4", "✗", "…"],
        ["dee", "0 / 4", "✗", "…"],
    ]
    assert page.find("a", string="cy")["href"] == f"../feedback/cy/{SLUG}/{SLUG}.html"


def test_nothing_that_a_student_wrote_comes_alive() -> None:
    hostile = a_report(f"eve{HOSTILE}\u202e", Outcome.FAILED, Outcome.FAILED, HOSTILE)
    hostile = msgspec.structs.replace(hostile, problems=[HOSTILE, "\x1b[31m"])
    text = class_page(HOSTILE, SLUG, [hostile], [HOSTILE])
    page = BeautifulSoup(text, "html.parser")
    assert page.find_all(["script", "img", "iframe", "link"]) == []
    assert "\x1b" not in text
    assert page.find("meta", attrs={"http-equiv": True})["content"].startswith("default-src 'none'")


def test_the_table_can_be_read_back_and_holds_no_formula() -> None:
    rows = list(csv.DictReader(io.StringIO(class_table([*CLASS, a_report("=1+1", Outcome.PASSED, Outcome.FAILED)]))))
    assert len(rows) == 10
    assert rows[-1]["student"] == "'=1+1"
    assert (rows[0]["outcome"], float(rows[0]["points"])) == ("passed", 2.0)
    assert [harmless(value) for value in ("-x", -1.0, "@a", "a")] == ["'-x", "-1.0", "'@a", "a"]


def test_it_is_written_beside_the_reports(tiny_course: Course) -> None:
    with pytest.raises(CourseError, match="run `course grade"):
        write_class_report(tiny_course, SLUG)
    for report in CLASS:
        write_report(report, tiny_course.paths(SLUG).report(report.student))
    page, table = write_class_report(tiny_course, SLUG)
    assert (page.name, table.name) == (f"{SLUG}.html", f"{SLUG}.csv")
    assert page.parent == Path(tiny_course.root / "reports")
    assert page.stat().st_size < 60_000


def test_a_thousand_students_fit_a_page_that_opens_soon() -> None:
    many = [a_report(f"student-{n}", Outcome.PASSED, Outcome.FAILED, "You add.") for n in range(1000)]
    assert len(class_page("Scale", SLUG, many, [])) < 2_000_000

"""After a check was fixed: only what changed runs again, the change is there to review, and students see nothing of it."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbgrader.api import Gradebook

from autograde.course import Assignment, Course
from autograde.grading.digests import Version
from autograde.notebooks.release import assemble
from autograde.records.audit_log import GRADED, SHOWN, WITHHELD, Entry, append, read_entries
from autograde.records.grade_changes import Change, exercises_text, find_changes
from autograde.records.gradebook import record
from autograde.reports.changes_page import render_changes_page, write_changes
from autograde.reports.class_status import ClassStatus
from autograde.tests.checked_course import COMPARISON, hidden_tests, released_copy, write_hidden_tests
from autograde.tests.commands import Done, course_here
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.report_builders import make_report, make_withheld_report
from autograde.tests.tiny_course import SLUG, submit

RIGHT = "def scale(x, factor):\n    return x * factor"
ADDS = "def scale(x, factor):\n    return x + factor"


def graded_state(course: Course, student: str) -> tuple[float, float | None, timedelta | None, float]:
    """(score, manual mark, extension, late penalty) in the gradebook, where no mark is asked for."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        found = gradebook.find_submission(SLUG, student)
        mark = gradebook.find_grade("why", SLUG, SLUG, student)
        assert not mark.needs_manual_grade
        return found.score, mark.manual_score, found.extension, found.late_submission_penalty


@pytest.fixture(scope="module")
def regraded(checked_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Course, Done]:
    """A class graded by a check that is too strict, marked, shown; then the check was fixed and all graded again."""
    course = released_copy(checked_once, tmp_path_factory.mktemp("regraded"))
    write_hidden_tests(course, hidden_tests(bodies=("assert False", COMPARISON)))
    for student, answer in (("ada", RIGHT), ("bob", ADDS), ("late", RIGHT)):
        when = "2027-02-02 12:00:00 UTC" if student == "late" else ""
        submit(course, student, assemble(course.open(SLUG), {"scale": answer, "why": "Because."}), when=when)
    assert course_here(course, "grade", SLUG).returncode == 0
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for student in ("ada", "late"):
            grade = gradebook.find_grade("why", SLUG, SLUG, student)
            grade.manual_score, grade.needs_manual_grade = 1.5, False
        gradebook.find_submission(SLUG, "late").extension = timedelta(days=1)
        gradebook.db.commit()
    assert course_here(course, "feedback", SLUG).returncode == 0
    before = {path: path.read_bytes() for path in course.root.glob("feedback/**/*.html")}
    write_hidden_tests(course, hidden_tests())
    again = course_here(course, "grade", SLUG)
    assert again.returncode == 0, again.stderr
    assert {path: path.read_bytes() for path in course.root.glob("feedback/**/*.html")} == before
    return course, again


def test_grade_changes_are_shown_for_review(regraded: tuple[Course, Done]) -> None:
    course, again = regraded
    found = {change.student: change for change in find_changes(course.open(SLUG))}
    assert {who: (change.before, change.after) for who, change in found.items()} == {"ada": (1, 4), "late": (1, 4)}
    assert found["ada"].because == ("checks",)
    with course.open(SLUG).paths.changes.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], row["before"], row["after"], row["change"]) for row in rows] == [
        ("ada", "1.0", "4.0", "3.0"),
        ("late", "1.0", "4.0", "3.0"),
    ]
    assert rows[0]["exercises"] == "scale 1 → 4"
    page = BeautifulSoup(course.open(SLUG).paths.changes_page.read_text(), "html.parser")
    assert "2 students: 2 gain, 0 lose points" in page.text
    groups, students = page.find_all("table")
    assert [cell.text for cell in groups.tbody.find_all("td")] == ["2", "scale", "1 → 4", "ada, late"]
    row = students.tbody.tr
    told = "scale 1 → 4: ✓\u00a02\u00a0passed"
    assert [cell.text for cell in row.find_all(["th", "td"])][:6] == ["ada", "1", "4", "+3", told, "the checks"]
    links = {link.text: link["href"] for link in row.find_all("a")}
    assert links["before"] == f"../feedback/ada/{SLUG}/{SLUG}.html"
    assert links["after"].startswith("http://localhost:8888/formgrader/submissions/")
    assert links["JSON"] == f"{SLUG}/ada.json"
    assert "2 changed" in again.stdout
    assert "after `course feedback`" in " ".join(again.stdout.split())


def test_grade_changes_keep_manual_marks_extensions_and_late_policy(
    regraded: tuple[Course, Done],
) -> None:
    course, _ = regraded
    assert graded_state(course, "ada") == (5.5, 1.5, None, 0.0)
    # Submitted 1.5 days late with a day of extension: one day begun, a tenth of what the work is worth now.
    assert graded_state(course, "late") == (5.5, 1.5, timedelta(days=1), pytest.approx(0.55))


def test_audit_log_records_who_graded_what_with_which_version(
    regraded: tuple[Course, Done],
) -> None:
    course, _ = regraded
    log = list(read_entries(course.open(SLUG)))
    assert [entry.event for entry in log] == [GRADED] * 3 + [SHOWN] * 3 + [GRADED] * 3
    first, last = (next(e for e in part if e.student == "ada") for part in (log, log[6:]))
    assert (first.before, first.after, last.before, last.after) == (None, 1.0, 1.0, 4.0)
    assert first.version
    assert last.version
    assert first.version.checks != last.version.checks
    assert (first.version.engine, first.version.submission) == (last.version.engine, last.version.submission)
    assert all(entry.who and entry.when.endswith("+00:00") for entry in log)


def test_grade_changes_end_with_feedback(regraded: tuple[Course, Done], tmp_path: Path) -> None:
    """Unchanged work is not run again, and writing feedback ends the review."""
    course = released_copy(regraded[0].root, tmp_path / "course")
    size = course.log.stat().st_size
    shown = course_here(course, "grade", SLUG)
    assert (shown.returncode, "2 changed" in shown.stdout) == (0, True), "until students have seen it"
    assert course.log.stat().st_size == size
    assert course_here(course, "report", SLUG).returncode == 0
    to_review = f'<a href="{SLUG}-changes.html">2 students would see other points than before</a>'
    assert to_review in course.open(SLUG).paths.class_page.read_text()
    assert course_here(course, "feedback", SLUG).returncode == 0
    assert not course.open(SLUG).paths.changes.exists()
    assert not course.open(SLUG).paths.changes_page.exists()
    assert f"{SLUG}-changes.html" not in course.open(SLUG).paths.class_page.read_text(), (
        "it is written again with the rest"
    )
    assert course_here(course, "grade", SLUG).stdout.count("changed") == 0


def entry(event: str, student: str, after: float, submission: str = "s", checks: str = "c") -> Entry:
    version = Version(submission=submission, checks=checks, policies="p", engine="e") if event == GRADED else None
    return Entry(
        when="2027-01-01T00:00:00+00:00",
        who="ta",
        event=event,
        assignment=SLUG,
        student=student,
        version=version,
        after=after,
        points={"scale": after},
    )


def test_grade_changes_of_new_work_are_no_regrading(tiny_course: Course) -> None:
    """New work is not a regrading until feedback on the old was written."""
    append(tiny_course, [entry(GRADED, "ada", 1), entry(GRADED, "ada", 3, submission="better")])
    assert find_changes(tiny_course.open(SLUG)) == []
    append(tiny_course, [entry(SHOWN, "ada", 3), entry(GRADED, "ada", 4, submission="best")])
    (change,) = find_changes(tiny_course.open(SLUG))
    assert (change.before, change.after, change.because) == (3, 4, ("submission",))


def test_grade_changes_add_up_over_regradings_and_cancel_out(tiny_course: Course) -> None:
    append(
        tiny_course, [entry(GRADED, "ada", 1), entry(GRADED, "ada", 3, checks="d"), entry(GRADED, "ada", 2, checks="e")]
    )
    (change,) = write_changes(tiny_course.open(SLUG))
    assert (change.before, change.after, exercises_text(change)) == (1, 2, "scale 1 → 2")
    append(tiny_course, [entry(GRADED, "ada", 1, checks="f")])
    assert write_changes(tiny_course.open(SLUG)) == []
    assert not tiny_course.open(SLUG).paths.changes.exists()


def test_grade_changes_name_students_who_lose_points_first() -> None:
    found = [
        Change(student, 3.0, after, {"scale": (3.0, after)}, ("checks",))
        for student, after in (("ada", 4.0), ("bob", 1.5), ("cy", 4.0))
    ]
    page = BeautifulSoup(
        render_changes_page("Scale", found, {}, ClassStatus(SLUG), has_class_page=False), "html.parser"
    )
    assert "3 students: 2 gain, 1 loses points" in page.text
    assert page.main.p.text == "Review first the students who lose points: bob"
    assert [row.th.text for row in page.find(id="changes").tbody.find_all("tr")] == ["bob", "ada", "cy"]
    assert page.find(class_="bad").text == "−1.5"
    assert [link["href"] for link in page.nav.find_all("a")] == [f"{SLUG}-changes.csv"]


def test_audit_log_loses_only_a_torn_line(tiny_course: Course) -> None:
    append(tiny_course, [entry(GRADED, "ada", 1)])
    whole = tiny_course.log.read_bytes()
    for cut in range(1, len(whole)):
        tiny_course.log.write_bytes(whole + whole[:cut])
        append(tiny_course, [entry(GRADED, "bob", 2)])
        found = [each.student for each in read_entries(tiny_course.open(SLUG))]
        # Only the newline was missing: then the line is whole, and ada is there twice.
        assert found == (["ada", "ada", "bob"] if cut == len(whole) - 1 else ["ada", "bob"])


WRITER = """
import sys
from autograde.records.audit_log import append
from autograde.course import Course
from autograde.tests.records.test_grade_changes import entry
from pathlib import Path
course = Course("tiny", [], root=Path(sys.argv[1]))
print("ready", flush=True)
while True:
    append(course, [entry("graded", sys.argv[2] * 300, 1.0)])
"""


def test_audit_log_killed_writers_tear_only_their_last_line(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    words = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*words, name], env=environment, stdout=subprocess.PIPE) for name in ("a", "b")]
    for writer in writers:
        assert writer.stdout
        assert writer.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert writer.stdout
        writer.stdout.close()
    lines = (tmp_path / "gradings.jsonl").read_bytes().splitlines()
    assert len(lines) > 20
    course = Course("tiny", [Assignment(SLUG, title="Scale")], root=tmp_path)
    append(course, [entry(GRADED, "carol", 1.0)])
    found = [each.student for each in read_entries(course.open(SLUG))]
    assert set(found) == {"a" * 300, "b" * 300, "carol"}
    assert found[-1] == "carol"
    assert len(lines) - len(writers) <= len(found) - 1 <= len(lines)


def test_audit_log_includes_stock_commands(released: Course, fake_grader: FakeGrader) -> None:
    """And a withheld report replaces no earlier one."""
    submit(released, "ada")
    fake_grader.reports["ada"] = make_report(points=2.0)
    assert record(released.open(SLUG), ["ada"]) == {}
    path = released.open(SLUG).paths.report("ada")
    before = path.read_bytes()
    submit(released, "ada", released.open(SLUG).paths.released_notebook.read_bytes() + b"\n")
    fake_grader.reports["ada"] = make_withheld_report("ada")
    assert "our fault" in record(released.open(SLUG), ["ada"])["ada"]
    assert path.read_bytes() == before
    assert [(entry.event, entry.before, entry.after) for entry in read_entries(released.open(SLUG))] == [
        (GRADED, None, 2.0),
        (WITHHELD, 2.0, None),
    ]
    assert find_changes(released.open(SLUG)) == []

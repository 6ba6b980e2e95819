"""A class of 30 in each platform's layout, collected before and after its roster is complete, and graded in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nbgrader.api import Gradebook

from autograde.course import Course
from autograde.tests.commands import course_here
from autograde.tests.lms_import.classroom import SLUG, Files, add_students, add_submission, collect, notebooks, students

FIRST = ["Ada", "Zoë", "José", "Jean-Luc", "D'Arcy", "Søren"]
LAST = ["Lovelace", "O'Brien", "Müller", "de la Cruz", "Łukasz"]
ROSTER = [
    {"id": f"s{number:02}", "first_name": first, "last_name": last, "email": f"s{number:02}@x.org", "lms_user_id": str(700 + number)}
    for number, (first, last) in enumerate((first, last) for first in FIRST for last in LAST)
]  # fmt: skip
MISSING = 5
"""students whom the roster gets later"""


def name_of(row: dict[str, str]) -> str:
    """The full name as Moodle writes it into a folder's name."""
    return f"{row['first_name']} {row['last_name']}".replace("'", "")


def canvas(rows: list[dict[str, str]]) -> Files:
    names = ["".join(filter(str.isalnum, f"{row['last_name']}{row['first_name']}")).lower() for row in rows]
    files = zip(names, rows, strict=True)
    return {f"{name}_{row['lms_user_id']}_{9000 + i}_{SLUG}.ipynb": row["id"] for i, (name, row) in enumerate(files)}


def anonymous(rows: list[dict[str, str]]) -> Files:
    return {f"anon_Ab{row['id']}_{9000 + i}_{SLUG}.ipynb": row["id"] for i, row in enumerate(rows)}


def moodle(rows: list[dict[str, str]]) -> Files:
    return {f"{name_of(row)}_{40 + i}_assignsubmission_file_/{SLUG}.ipynb": row["id"] for i, row in enumerate(rows)}


def moodle_groups(rows: list[dict[str, str]]) -> Files:
    return {f"Lab {i % 4}-{name}": data for i, (name, data) in enumerate(moodle(rows).items())}


def gradescope(rows: list[dict[str, str]]) -> Files:
    files = {f"submission_{i}/{SLUG}.ipynb": row["id"] for i, row in enumerate(rows)}
    people = [
        f"submission_{i}:\n  :submitters:\n  - :name: {row['first_name']} {row['last_name']}\n"
        f"    :sid: '{row['lms_user_id']}'\n    :email: {row['email']}\n  :created_at: 2027-01-30 10:00:00 Z\n"
        for i, row in enumerate(rows)
    ]
    return files | {"submission_metadata.yml": "---\n" + "".join(people)}


def blackboard(rows: list[dict[str, str]]) -> Files:
    return {f"RMS Norm_{row['id']}_attempt_2027-01-30-12-00-00_{SLUG}.ipynb": row["id"] for row in rows}


def brightspace(rows: list[dict[str, str]]) -> Files:
    folder = "{}-55 - {} {} - Jan 30, 2027 926 PM/{}.ipynb"
    return {
        folder.format(60 + i, row["first_name"], row["last_name"], SLUG): row["id"] for i, row in enumerate(rows)
    } | {"index.html": "<p>"}


def nbgrader(rows: list[dict[str, str]]) -> Files:
    return {f"{row['id']}/{SLUG}/{SLUG}.ipynb": row["id"] for row in rows}


PLATFORMS = {
    maker.__name__: maker for maker in (canvas, moodle, moodle_groups, gradescope, blackboard, brightspace, nbgrader)
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_class_collected_twice_has_each_student_once(empty_roster: Course, platform: str) -> None:
    """First with 5 unknown people, refused and then accepted; then with the complete roster."""
    make: Callable[[list[dict[str, str]]], Files] = PLATFORMS[platform]
    course, everyone = empty_roster, {row["id"]: row["id"].encode() for row in ROSTER}
    known = {row["id"]: row["id"].encode() for row in ROSTER[:-MISSING]}
    add_students(course, ROSTER[:-MISSING])
    done = collect(course, make(ROSTER))
    assert (done.returncode, notebooks(course)) == (1, known), done.stderr
    assert done.stderr.count("not in the roster; the most similar name is") == MISSING
    assert collect(course, make(ROSTER), "--accept-unknown").returncode == 0
    assert len(students(course)) == len(ROSTER)
    add_students(course, ROSTER[-MISSING:])
    done = collect(course, make(ROSTER))
    assert (done.returncode, notebooks(course)) == (0, everyone), done.stderr
    assert "in the roster, but not in this archive: none" in done.stdout
    assert f"0 new, 0 replaced, {len(ROSTER)} unchanged" in done.stdout


def test_class_collected_without_a_roster_gets_its_ids_later(empty_roster: Course) -> None:
    course = empty_roster
    collect(course, canvas(ROSTER))
    assert students(course) == sorted(row["lms_user_id"] for row in ROSTER)
    add_students(course, ROSTER)
    done = collect(course, canvas(ROSTER))
    assert (done.returncode, students(course)) == (0, [row["id"] for row in ROSTER])
    assert f"s00: note: was collected as '700' before; moved in {SLUG}" in done.stderr


def test_class_anonymous_keys_become_students_with_a_table(empty_roster: Course) -> None:
    course = add_students(empty_roster, ROSTER)
    collect(course, anonymous(ROSTER), "--accept-unknown")
    assert students(course) == [f"anon_Ab{row['id']}" for row in ROSTER]
    (course.root / "keys.csv").write_text("".join(f"anon_Ab{row['id']},{row['id']}\n" for row in ROSTER))
    done = collect(course, anonymous(ROSTER), "--keys", "keys.csv")
    assert (done.returncode, students(course)) == (0, [row["id"] for row in ROSTER]), done.stderr


def grade_by_hand(course: Course, student: str, points: float) -> None:
    """What grading and a person leave behind: a row in the gradebook with a mark, a graded notebook and a report."""
    add_submission(course, student)
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        grade = gradebook.find_grade("why", SLUG, SLUG, student)
        grade.manual_score = points
        gradebook.db.commit()
    paths = course.open(SLUG).paths
    paths.autograded(student).mkdir(parents=True)
    (paths.autograded(student) / f"{SLUG}.ipynb").write_text(student)
    paths.report(student).parent.mkdir(parents=True, exist_ok=True)
    paths.report(student).write_text("{}")


@pytest.fixture
def course_with_cells(empty_roster: Course) -> Course:
    """A course whose gradebook knows one answer that is marked by hand."""
    with Gradebook(empty_roster.gradebook_url, empty_roster.name) as gradebook:
        gradebook.add_notebook(SLUG, SLUG)
        gradebook.add_grade_cell("why", SLUG, SLUG, max_score=5, cell_type="markdown")
    return empty_roster


def test_student_who_becomes_known_keeps_grades_and_is_exported_once(course_with_cells: Course) -> None:
    course = course_with_cells
    add_students(course, ROSTER[1:3])
    file = {f"lovelaceada_700_1_{SLUG}.ipynb": b"x"}
    collect(course, file, "--accept-unknown")
    grade_by_hand(course, "700", 4.0)
    add_students(course, ROSTER[:1])
    refused = course_here(course, "export", "--for", "canvas", "--to", "grades.csv")
    assert (refused.returncode, (course.root / "grades.csv").exists()) == (2, False)
    assert "'700' and 's00' would have one id on Canvas, '700'" in refused.stderr
    assert collect(course, file).returncode == 0
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        assert [student.id for student in gradebook.students if student.id == "700"] == []
        assert gradebook.find_submission(SLUG, "s00").score == 4.0
    assert (course.open(SLUG).paths.autograded("s00") / f"{SLUG}.ipynb").read_text() == "700"
    assert not course.open(SLUG).paths.report("700").exists()
    assert course_here(course, "export", "--for", "canvas", "--to", "grades.csv").returncode == 0
    assert (course.root / "grades.csv").read_text().count("700") == 1


def test_student_with_work_under_both_ids_is_reported_and_loses_nothing(course_with_cells: Course) -> None:
    course = course_with_cells
    file = {f"lovelaceada_700_1_{SLUG}.ipynb": b"x"}
    collect(course, file)
    add_students(course, ROSTER[:1])
    grade_by_hand(course, "s00", 1.0)
    grade_by_hand(course, "700", 4.0)
    done = collect(course, file)
    assert (done.returncode, students(course)) == (1, ["700", "s00"])
    assert "s00: was collected as '700' before, and has submissions or grades under both ids" in done.stderr
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        assert [gradebook.find_submission(SLUG, who).score for who in ("700", "s00")] == [4.0, 1.0]


def test_student_of_the_roster_is_never_renamed(empty_roster: Course) -> None:
    """Bob's id is Ada's number on the platform."""
    course = add_students(empty_roster, [ROSTER[0], {"id": "700", "first_name": "Bob", "last_name": "Jones"}])
    collect(course, {f"700/{SLUG}/{SLUG}.ipynb": b"bob"})
    done = collect(course, {f"lovelaceada_700_1_{SLUG}.ipynb": b"ada"})
    assert notebooks(course) == {"700": b"bob", "s00": b"ada"}, done.stderr

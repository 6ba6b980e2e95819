"""Each person of an archive is a student of the roster or is named; no student is invented or replaced."""

from __future__ import annotations

import pytest

from autograde.course import Course
from autograde.tests.lms_import.classroom import (
    NOTEBOOK,
    SLUG,
    add_students,
    add_submission,
    collect,
    notebooks,
    students,
    submitted,
)
from autograde.tests.lms_import.test_layouts import METADATA


def canvas(name: str, number: int = 999) -> str:
    return f"{name}_{number}_9001_{SLUG}.ipynb"


def moodle(name: str, number: int = 555) -> str:
    return f"{name}_{number}_assignsubmission_file_/{SLUG}.ipynb"


FOUND = {
    canvas("mullerjose", 103): "jose",
    moodle("José Müller"): "jose",
    moodle("Jose Muller"): "jose",
    moodle("MÜLLER, José"): "jose",
    moodle("Jose\u0301 Mu\u0308ller"): "jose",
    moodle("Bob OBrien"): "bob",
    moodle("O’Brien Bob"): "bob",
    moodle("Bob O Brien"): "bob",
    moodle("Team 1-José Müller"): "jose",
    moodle("Team-A-b-Cy Young"): "cy",
    moodle("Default group-O'Brien Bob"): "bob",
}


@pytest.mark.parametrize("name", FOUND)
def test_roster_finds_names_in_any_spelling(course: Course, name: str) -> None:
    done = collect(course, {name: NOTEBOOK})
    assert (done.returncode, students(course)) == (0, [FOUND[name]]), done.stderr


@pytest.mark.parametrize("name", ["lovelaceada", "adalovelace", "lovelace_ada"])
def test_roster_finds_a_canvas_name_whose_number_is_unknown(empty_roster: Course, name: str) -> None:
    add_students(empty_roster, [{"id": "ada", "first_name": "Ada", "last_name": "Lovelace"}])
    done = collect(empty_roster, {canvas(name): NOTEBOOK})
    assert (done.returncode, students(empty_roster)) == (0, ["ada"]), done.stderr
    assert ("underscores" in done.stderr) == ("_" in name)


def test_roster_number_of_canvas_is_no_id_and_no_address(course: Course) -> None:
    """A course may use university numbers as ids and in addresses; Canvas counts its users itself."""
    add_students(
        course, [{"id": "777", "first_name": "Di", "last_name": "Do", "email": "778@x.org", "lms_user_id": "5"}]
    )
    done = collect(course, {canvas("teststudent", 777): b"?", canvas("other", 778): b"?"})
    assert (done.returncode, students(course)) == (1, [])
    assert done.stderr.count("not in the roster; the most similar") == 2


def test_roster_number_that_differs_needs_attention_and_replaces_nothing(course: Course) -> None:
    done = collect(course, {canvas("lovelaceada"): NOTEBOOK})
    assert (done.returncode, students(course)) == (1, ["ada"])
    assert "the roster has the number 101" in done.stderr
    done = collect(course, {canvas("lovelaceada"): b"another"})
    assert (done.returncode, notebooks(course)) == (1, {"ada": NOTEBOOK})
    assert "the earlier submission was kept" in done.stderr


UNKNOWN = {
    "canvas": (canvas("teststudent", 777), "teststudent (777)"),
    "canvas, underscores": (canvas("love_lace", 777), "love_lace (777)"),
    "moodle": (moodle("Ada Lovelac"), "Ada Lovelac (Ada Lovelac_555)"),
    "moodle, one word": (moodle("Sukarno"), "Sukarno (Sukarno_555)"),
    "moodle, a team alone": ("Team 7_12_assignsubmission_file_/x.ipynb", "Team 7 (Team 7_12)"),
    "moodle, no team": ("Default group_assignsubmission_file_/x.ipynb", "Default group"),
    "nbgrader": (f"eve/{SLUG}/{SLUG}.ipynb", "eve"),
    "blackboard": (f"RMS_eve_attempt_2027-01-30-12-00-00_{SLUG}.ipynb", "eve"),
    "brightspace": (f"1-2 - Group 4 - Jan 30, 2027 926 PM/{SLUG}.ipynb", "Group 4"),
}


@pytest.mark.parametrize("platform", UNKNOWN)
def test_roster_unknown_person_is_named_with_the_nearest_name(course: Course, platform: str) -> None:
    file, person = UNKNOWN[platform]
    done = collect(course, {file: NOTEBOOK, "x/y.txt": b""} if platform == "nbgrader" else {file: NOTEBOOK})
    assert (done.returncode, submitted(course)) == (1, {})
    (line,) = [line for line in done.stderr.splitlines() if line.startswith(f"{person}: not in the roster")]
    assert "the most similar name is" in line


@pytest.mark.parametrize("platform", UNKNOWN)
def test_roster_unknown_person_is_accepted_by_an_option(course: Course, platform: str) -> None:
    done = collect(course, {UNKNOWN[platform][0]: NOTEBOOK}, "--accept-unknown")
    assert (done.returncode, len(students(course))) == (0, 1), done.stderr
    assert "not in the roster, accepted" in done.stderr


def test_roster_nearest_name_is_the_most_similar(course: Course) -> None:
    done = collect(course, {moodle("Jose Mueller"): NOTEBOOK})
    assert "the most similar name is 'José Müller' (jose)" in done.stderr


@pytest.mark.parametrize("name", ["ada", "ADA"])
def test_roster_accepted_person_never_gets_the_id_of_a_student(course: Course, name: str) -> None:
    done = collect(course, {moodle(name): NOTEBOOK}, "--accept-unknown")
    assert (done.returncode, students(course)) == (1, [])
    assert "is the id of a student" in done.stderr


def test_roster_without_one_ids_are_made_and_a_line_says_so(no_roster: Course) -> None:
    done = collect(no_roster, {canvas("stranger", 77): NOTEBOOK})
    assert (done.returncode, students(no_roster)) == (0, ["77"])
    assert [line.startswith("no roster: ") for line in done.stdout.splitlines()][-1]


def test_roster_without_one_moodle_names_become_ids(no_roster: Course) -> None:
    done = collect(no_roster, {moodle("José Müller"): NOTEBOOK, moodle("Cy", 556): NOTEBOOK})
    assert (done.returncode, students(no_roster)) == (0, ["Cy", "José_Müller"])


def test_roster_rows_that_grading_added_are_no_roster(empty_roster: Course) -> None:
    add_submission(empty_roster, "77")
    done = collect(empty_roster, {canvas("x", 78): NOTEBOOK})
    assert (done.returncode, students(empty_roster)) == (0, ["78"])
    add_students(empty_roster, [{"id": "ada", "first_name": "Ada"}])
    done = collect(empty_roster, {canvas("x", 77): NOTEBOOK})
    assert (done.returncode, students(empty_roster)) == (1, ["78"])


def test_roster_of_ids_alone_is_one(empty_roster: Course) -> None:
    add_students(empty_roster, [{"id": "ada"}, {"id": "bob"}])
    done = collect(empty_roster, {f"ada/{SLUG}/{SLUG}.ipynb": NOTEBOOK, f"eve/{SLUG}/{SLUG}.ipynb": NOTEBOOK})
    assert (done.returncode, students(empty_roster)) == (1, ["ada"])
    assert "in the roster, but not in this archive: bob" in done.stdout


@pytest.mark.parametrize("present", [[], ["ada"], ["ada", "bob", "jose", "cy"]])
def test_roster_students_who_are_missing_are_always_listed(course: Course, present: list[str]) -> None:
    files = {f"{student}/{SLUG}/{SLUG}.ipynb": NOTEBOOK for student in present} or {"x.txt": b""}
    done = collect(course, files)
    missing = sorted({"ada", "bob", "jose", "cy"} - set(present))
    assert f"in the roster, but not in this archive: {', '.join(missing) or 'none'}\n" in done.stdout


def test_roster_two_people_for_one_student_are_both_refused(no_roster: Course) -> None:
    done = collect(no_roster, {moodle("Kim Lee", 1): b"x", moodle("Kim Lee", 2): b"y"})
    assert (done.returncode, students(no_roster)) == (1, [])
    assert "Kim_Lee: 2 people in the archive fit this student" in done.stderr


def test_roster_two_students_of_one_name_are_told_apart_by_number_or_table(course: Course) -> None:
    add_students(course, [{"id": "ada2", "first_name": "Ada", "last_name": "Lovelace", "lms_user_id": "105"}])
    done = collect(course, {moodle("Ada Lovelace"): NOTEBOOK})
    assert (done.returncode, students(course)) == (1, [])
    assert "fits 2 students of the roster: 'ada', 'ada2'" in done.stderr
    folders = {f"{n}-7 - Ada Lovelace - Jan 30, 2027 926 PM/{SLUG}.ipynb": str(n) for n in (101, 105)}
    assert collect(course, folders).returncode == 0
    assert notebooks(course) == {"ada": b"101", "ada2": b"105"}


def test_roster_team_prefix_that_is_part_of_a_name_is_not_removed(course: Course) -> None:
    rows = [{"id": "marie", "first_name": "Marie", "last_name": "Curie"}]
    add_students(course, [*rows, {"id": "anne", "first_name": "Anne-Marie", "last_name": "Curie"}])
    done = collect(course, {moodle("Anne-Marie Curie"): b"anne", moodle("Marie Curie", 6): b"marie"})
    assert (done.returncode, notebooks(course)) == (0, {"anne": b"anne", "marie": b"marie"}), done.stderr
    done = collect(course, {moodle("Anne-Marie Curie"): b"?"})
    assert (done.returncode, notebooks(course)["anne"]) == (1, b"anne")
    assert "fits 2 students" in done.stderr


def test_roster_group_name_of_canvas_is_noted(course: Course) -> None:
    done = collect(course, {canvas("team7", 101): NOTEBOOK})
    assert (done.returncode, students(course)) == (0, ["ada"])
    assert "its other members have no submission" in done.stderr


ANONYMOUS = {
    "canvas": ("anon_k3J9x_9001_rmsnorm.ipynb", "anon_k3J9x"),
    "canvas, late": ("LATE_anon_k3J9x_9001_rmsnorm.ipynb", "anon_k3J9x"),
    "moodle": (moodle("Participant", 12), "Participant_12"),
    "moodle, groups": (moodle("Team 1-Participant", 12), "Team 1-Participant_12"),
}


@pytest.mark.parametrize("platform", ANONYMOUS)
@pytest.mark.parametrize("known", [True, False])
def test_roster_anonymous_person_is_refused_with_the_reason(course: Course, platform: str, known: bool) -> None:
    if not known:
        (course.root / "gradebook.db").unlink()
    file, key = ANONYMOUS[platform]
    done = collect(course, {file: NOTEBOOK})
    assert (done.returncode, students(course)) == (1, [])
    assert f"{key}: anonymous grading" in done.stderr


@pytest.mark.parametrize("platform", ANONYMOUS)
def test_roster_anonymous_person_is_found_in_a_table_or_kept_as_a_key(course: Course, platform: str) -> None:
    file, key = ANONYMOUS[platform]
    (course.root / "keys.csv").write_text(f"key,student\n{key},ada\nanon_other,bob\n")
    done = collect(course, {file: NOTEBOOK}, "--accept-unknown")
    assert len(students(course)) == 1, done.stderr
    assert students(course) != ["ada"]
    done = collect(course, {file: NOTEBOOK}, "--keys", "keys.csv")
    assert students(course) == ["ada"], done.stderr


def test_roster_anonymous_words_of_other_languages_are_recognised(course: Course) -> None:
    done = collect(course, {moodle("Teilnehmerin", 1): b"x", moodle("Teilnehmerin", 2): b"y"})
    assert (done.returncode, students(course)) == (1, [])
    assert "Teilnehmerin_2: anonymous grading" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("anon_a,ada\nanon_a,bob\n", "line 2: the key 'anon_a' occurs twice"),
        ("anon_a,ada\nanon_b,ada\n", "line 2: the student 'ada' occurs twice"),
        ("anon_a\n", "line 1: write two cells"),
        ("anon_a,\n", "line 1: write two cells"),
        ("a,b,c\n", "line 1: write two cells"),
        ("anon_a,adda\n", "'adda' is not in the roster"),
    ],
)
def test_roster_table_that_is_wrong_is_refused(course: Course, text: str, said: str) -> None:
    (course.root / "keys.csv").write_text(text)
    done = collect(course, {"anon_a_1_x.ipynb": NOTEBOOK}, "--keys", "keys.csv")
    assert (done.returncode, students(course)) == (2, [])
    assert said in done.stderr


def test_roster_table_gives_a_team_its_students(course: Course) -> None:
    (course.root / "keys.csv").write_text("\ufeffkey;student\nTeam 7_12;ada bob\n", encoding="utf-8")
    done = collect(course, {"Team 7_12_assignsubmission_file_/x.ipynb": NOTEBOOK}, "--keys", "keys.csv")
    assert (done.returncode, students(course)) == (0, ["ada", "bob"]), done.stderr


def test_roster_gradescope_people_without_files_are_named(course: Course) -> None:
    done = collect(course, {"submission_metadata.yml": METADATA, f"submission_222/{SLUG}.ipynb": NOTEBOOK})
    assert (done.returncode, students(course)) == (1, ["cy"])
    assert "ada: the platform lists a submission" in done.stderr
    assert "bob: the platform lists a submission" in done.stderr


def test_roster_two_gradescope_people_with_one_number_replace_no_student(course: Course) -> None:
    twice = METADATA.replace("Cy Young", "Eve").replace("  - :name: Eve\n", "  - :name: Eve\n    :sid: '101'\n")
    files = {"submission_metadata.yml": twice, f"submission_111/{SLUG}.ipynb": NOTEBOOK}
    done = collect(course, files | {f"submission_222/{SLUG}.ipynb": b"eve"})
    assert (done.returncode, notebooks(course)) == (1, {"ada": NOTEBOOK, "bob": NOTEBOOK})
    assert "Eve (101): fits 2 students" in done.stderr

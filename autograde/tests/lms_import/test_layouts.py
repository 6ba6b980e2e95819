"""Each platform's layout gives the right student, and nothing that a student names changes that."""

from __future__ import annotations

import pytest

from autograde.course import Course
from autograde.tests.lms_import.classroom import NOTEBOOK, OTHER, SLUG, Files, collect, notebooks, students, submitted

METADATA = """---
submission_111:
  :submitters:
  - :name: Ada Lovelace
    :sid: '101'
    :email: ada@x.org
  - :name: Bob O'Brien
    :sid: ''
    :email: bob@x.org
  :created_at: 2027-02-14 23:31:00.5 +01:00
  :score: 3.0
submission_222:
  :submitters:
  - :name: Cy Young
    :email: cy@x.org
  :created_at: 2027-02-14 20:00:00 Z
"""
A, B = b"of ada", b"of bob"
BLACKBOARD = f"RMS Norm_1_{{}}_attempt_2027-01-30-12-00-00_{SLUG}.ipynb"
PLATFORMS: dict[str, Files] = {
    "canvas": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"obrienbob_102_9002_{SLUG}-2.ipynb": B},
    "canvas, late": {f"lovelaceada_LATE_101_9001_{SLUG}.ipynb": A, f"obrienbob_102_9002_{SLUG}.ipynb": B},
    "canvas, repacked": {f"Downloads/submissions/lovelaceada_101_9001_{SLUG}.ipynb": A, f"Downloads/submissions/obrienbob_102_9002_{SLUG}.ipynb": B},
    "canvas, in a folder named by the assignment": {f"{SLUG}/lovelaceada_101_9001_{SLUG}.ipynb": A, f"{SLUG}/obrienbob_102_2_{SLUG}.ipynb": B},
    "canvas, unpacked zips": {f"lovelaceada_101_9001_hw/{SLUG}.ipynb": A, f"obrienbob_102_9002_{SLUG}/x/{SLUG}.ipynb": B},
    "moodle, unpacked zips": {f"Ada Lovelace_555_assignsubmission_file_hw/{SLUG}.ipynb": A, f"Bob OBrien_556_assignsubmission_file_{SLUG}/x/{SLUG}.ipynb": B},
    "blackboard, unpacked zips": {BLACKBOARD.format("ada").replace(f"{SLUG}.ipynb", f"hw/{SLUG}.ipynb"): A, BLACKBOARD.format("bob").replace(f"{SLUG}.ipynb", f"hw/{SLUG}.ipynb"): B},
    "brightspace, unpacked zips": {f"9-77 - Ada Lovelace - Jan 30, 2027 926 PM - hw1/{SLUG}.ipynb": A, f"8-77 - Bob O'Brien - Jan 30, 2027 1000 AM - hw1/{SLUG}.ipynb": B},
    "moodle": {f"Ada Lovelace_555_assignsubmission_file_/{SLUG}.ipynb": A, f"Bob OBrien_556_assignsubmission_file_/{SLUG}.ipynb": B},
    "moodle 4": {f"Ada Lovelace_555_assignsubmission_file/{SLUG}.ipynb": A, f"Bob OBrien_556_assignsubmission_file/{SLUG}.ipynb": B},
    "moodle, flat": {f"Ada Lovelace_555_assignsubmission_file_{SLUG}.ipynb": A, f"Bob OBrien_556_assignsubmission_file_{SLUG}.ipynb": B},
    "moodle, groups": {f"Lab-1-Ada Lovelace_555_assignsubmission_file_/{SLUG}.ipynb": A, f"Default group-Bob OBrien_556_assignsubmission_file_/{SLUG}.ipynb": B},
    "moodle, repacked": {f"rmsnorm-77/Ada Lovelace_555_assignsubmission_file_/a/{SLUG}.ipynb": A, f"rmsnorm-77/Bob OBrien_556_assignsubmission_file_/{SLUG}.ipynb": B},
    "blackboard": {BLACKBOARD.format("ada"): A, BLACKBOARD.format("bob"): B, BLACKBOARD.format("bob").replace(f"_{SLUG}.ipynb", ".txt"): "Name: Bob (bob)\n"},
    "brightspace": {f"9-77 - Ada Lovelace - Jan 30, 2027 926 PM/{SLUG}.ipynb": A, f"8-77 - Bob O'Brien - Jan 30, 2027 1000 AM/{SLUG}.ipynb": B, "index.html": "<p>"},
    "brightspace, flat": {f"9-77 - Ada Lovelace - Jan 30, 2027 926 PM - {SLUG}.ipynb": A, f"8-77 - Bob O'Brien - Jan 30, 2027 1000 AM - {SLUG}.ipynb": B},
    "nbgrader": {f"ada/{SLUG}/{SLUG}.ipynb": A, f"bob/{SLUG}/{SLUG}.ipynb": B},
    "nbgrader, whole course": {f"course/submitted/ada/{SLUG}/{SLUG}.ipynb": A, f"course/submitted/bob/{SLUG}/{SLUG}.ipynb": B, f"course/submitted/cy/{OTHER}/{OTHER}.ipynb": b""},
    "folders named by id": {f"ada/{SLUG}.ipynb": A, f"bob/{SLUG}.ipynb": B},
}  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_layout_is_read(course: Course, platform: str) -> None:
    done = collect(course, PLATFORMS[platform])
    assert notebooks(course) == {"ada": A, "bob": B}, done.stderr
    assert done.returncode == (1 if platform == "canvas, late" else 0), done.stderr
    assert "new: ada, bob" in done.stdout


@pytest.mark.parametrize("platform", [name for name in PLATFORMS if name != "folders named by id"])
def test_layout_of_a_single_student_is_read(course: Course, platform: str) -> None:
    files = {name: data for name, data in PLATFORMS[platform].items() if data == A}
    collect(course, files)
    assert notebooks(course) == {"ada": A}


def test_layout_of_gradescope_is_read(course: Course) -> None:
    files = {
        "assignment_9_export/submission_metadata.yml": METADATA,
        f"assignment_9_export/submission_111/{SLUG}.ipynb": A,
        f"assignment_9_export/submission_222/src/{SLUG}.py": B,
    }
    done = collect(course, files)
    assert done.returncode == 0, done.stderr
    assert notebooks(course) == {"ada": A, "bob": A, "cy": B}
    assert submitted(course)[f"ada/{SLUG}/timestamp.txt"] == b"2027-02-14 22:31:00 UTC"


EVE = "Eve Doe_560_assignsubmission_file_"
FORGED = {f"{EVE}/{SLUG}.ipynb": b"eve"}
ADAS_OWN = {f"Ada Lovelace_555_assignsubmission_file_/{SLUG}.ipynb": A}
FORGERIES: dict[str, Files] = {
    "moodle: a sub-folder named as another student's": ADAS_OWN | {f"{EVE}/Ada Lovelace_555_assignsubmission_file_/{SLUG}.ipynb": b"eve"},
    "moodle: a sub-folder in nbgrader's layout": ADAS_OWN | {f"{EVE}/ada/{SLUG}/{SLUG}.ipynb": b"eve"},
    "moodle: metadata of Gradescope": ADAS_OWN | FORGED | {f"{EVE}/submission_metadata.yml": METADATA},
    "moodle: a time": ADAS_OWN | FORGED | {f"{EVE}/timestamp.txt": "2020-01-01 00:00:00 UTC"},
    "moodle, flat: the prefix of another student": {f"Ada Lovelace_555_assignsubmission_file_{SLUG}.ipynb": A, f"{EVE}Ada Lovelace_555_assignsubmission_file_{SLUG}.ipynb": b"eve"},
    "moodle: a name like another student's with a team": ADAS_OWN | {f"X-Ada Lovelace_560_assignsubmission_file_/{SLUG}.ipynb": b"eve"},
    "gradescope: a sub-folder of another submission": {"submission_metadata.yml": METADATA, f"submission_111/{SLUG}.ipynb": A, f"submission_222/submission_111/{SLUG}.ipynb": b"eve"},
    "gradescope: metadata in a folder": {"submission_metadata.yml": METADATA, f"submission_111/{SLUG}.ipynb": A, f"submission_222/{SLUG}.ipynb": b"eve", "submission_222/submission_metadata.yml": METADATA.replace("Cy Young", "Ada Lovelace").replace("cy@", "ada@")},
    "canvas: a file named as another student's": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"evedoe_104_9002_lovelaceada_101_9003_{SLUG}.ipynb": b"eve"},
    "canvas: a file named as Moodle's": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"evedoe_104_9002_Ada Lovelace_555_assignsubmission_file_{SLUG}.ipynb": b"eve"},
    "canvas: a file named as Blackboard's": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"evedoe_104_9002_x_ada_attempt_2027-01-30-12-00-00_{SLUG}.ipynb": b"eve"},
    "canvas: a name that ends with a number": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"evedoe_101_104_9002_{SLUG}.ipynb": b"eve"},
    "canvas: a name that Canvas collapses into a number": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"lovelaceada_101_2_b_104_9002_{SLUG}.ipynb": b"eve"},
    "canvas: another user with Ada's name": {f"lovelaceada_101_9001_{SLUG}.ipynb": A, f"lovelaceada_999_9002_{SLUG}.ipynb": b"eve"},
    "blackboard: a file named as another student's": {BLACKBOARD.format("ada"): A, BLACKBOARD.format("cy").replace(SLUG, BLACKBOARD.format("ada")): b"eve"},
    "nbgrader: a sub-folder named as another student's": {f"ada/{SLUG}/{SLUG}.ipynb": A, f"cy/{SLUG}/ada/{SLUG}/{SLUG}.ipynb": b"eve"},
    "nbgrader: a case variant of the id": {f"ada/{SLUG}/{SLUG}.ipynb": A, f"Ada/{SLUG}/{SLUG}.ipynb": b"eve"},
    "brightspace: a sub-folder named as another student's": {f"9-77 - Ada Lovelace - Jan 30, 2027 926 PM/{SLUG}.ipynb": A, f"8-77 - Cy Young - Jan 30, 2027 926 PM/9-77 - Ada Lovelace - Jan 31, 2027 926 PM/{SLUG}.ipynb": b"eve"},
}  # fmt: skip


@pytest.mark.parametrize("forgery", FORGERIES)
def test_layout_ignores_what_students_name(course: Course, forgery: str) -> None:
    """Ada keeps her work whatever others call their files, and no student sets the time of submission."""
    done = collect(course, FORGERIES[forgery])
    assert notebooks(course)["ada"] == A, done.stderr
    assert f"ada/{SLUG}/timestamp.txt" not in submitted(course) or "gradescope" in forgery or "b" in forgery[:2]
    assert b"2020" not in b"".join(submitted(course).values())


SINGLE: dict[str, tuple[Files, list[str]]] = {
    "moodle": ({f"Cy Young_5_assignsubmission_file_/ada/{SLUG}/{SLUG}.ipynb": A}, ["cy"]),
    "moodle, the assignment's folder": ({f"Cy Young_5_assignsubmission_file_/{SLUG}/{SLUG}.ipynb": A}, ["cy"]),
    "moodle, another student's folder": ({f"Cy Young_5_assignsubmission_file_/Ada Lovelace_4_assignsubmission_file_/{SLUG}.ipynb": A}, ["cy"]),
    "gradescope without its metadata": ({f"submission_111/{SLUG}/{SLUG}.ipynb": A}, []),
    "gradescope with a student's metadata": ({f"submission_222/{SLUG}.ipynb": A, "submission_222/submission_metadata.yml": METADATA}, []),
    "gradescope, nbgrader's folders": ({"submission_metadata.yml": METADATA.split("submission_222")[0], f"submission_111/cy/{SLUG}/{SLUG}.ipynb": A}, ["ada", "bob"]),
    "nbgrader": ({f"cy/{SLUG}/{SLUG}.ipynb": A}, ["cy"]),
    "nbgrader, a file named as Canvas's": ({f"cy/{SLUG}/lovelaceada_101_9001_{SLUG}.ipynb": A}, ["cy"]),
    "nbgrader, another student's folder": ({f"cy/{SLUG}/ada/{SLUG}/{SLUG}.ipynb": A}, ["cy"]),
    "brightspace": ({f"9-77 - Cy Young - Jan 30, 2027 926 PM/ada/{SLUG}/{SLUG}.ipynb": A}, ["cy"]),
    "an id without the assignment's folder": ({f"cy/lovelaceada_101_9001_{SLUG}.ipynb": A}, ["cy"]),
    "a folder that is no person's": ({f"upload/lovelaceada_101_9001_{SLUG}.ipynb": A}, ["ada"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SINGLE)
def test_layout_enclosing_folders_are_skipped_only_if_no_person_has_them(course: Course, case: str) -> None:
    files, expected = SINGLE[case]
    done = collect(course, files)
    assert students(course) == expected, done.stderr


def test_layout_folder_that_may_be_a_student_is_skipped_only_by_an_option(course: Course) -> None:
    """Its file may have the name of a classmate's, so it is not theirs without a word of the instructor."""
    files = {f"Downloads/{SLUG}/lovelaceada_101_1_{SLUG}.ipynb": A}
    done = collect(course, files)
    assert (done.returncode, students(course)) == (1, [])
    assert "Downloads: not in the roster" in done.stderr
    assert collect(course, files, "--from", "canvas").returncode == 0
    assert students(course) == ["ada"]


@pytest.mark.parametrize("name", [".NET Nerd", "...", "._x"])
def test_layout_person_whose_name_begins_with_a_dot_is_named(course: Course, name: str) -> None:
    done = collect(course, {f"{name}_5_assignsubmission_file_/{SLUG}.ipynb": A})
    assert (done.returncode, students(course)) == (1, [])
    assert f"{name} ({name}_5): not in the roster" in done.stderr


def test_layout_repacked_folder_is_noted(course: Course) -> None:
    done = collect(course, PLATFORMS["canvas, repacked"])
    assert "note: everything is in the folder 'Downloads/submissions/'" in done.stderr


@pytest.mark.parametrize(
    "files",
    [
        {"Ada Lovelace - rmsnorm.ipynb": A, "Bob - rmsnorm.ipynb": B},
        {"RMSNorm/Ada Lovelace - rmsnorm.ipynb": A, "RMSNorm/Bob - rmsnorm.ipynb": B},
        {"rmsnorm.ipynb": A},
        {"notebooks/ada.ipynb": A, "notebooks/bob.ipynb": B},
    ],
)
def test_layout_of_google_classroom_is_refused_by_name(course: Course, files: Files) -> None:
    """Its files have the names that students gave them, which is no evidence of who they are."""
    done = collect(course, files)
    assert (done.returncode, students(course)) == (1, [])
    assert "Google Classroom" in done.stderr
    assert "rmsnorm.ipynb" in done.stderr or "ada.ipynb" in done.stderr


def test_layout_stray_files_are_named(course: Course) -> None:
    done = collect(course, PLATFORMS["canvas"] | {f"inbox/{SLUG}.ipynb": b"?", "extra.ipynb": b"?"})
    assert (done.returncode, students(course)) == (1, ["ada", "bob"])
    assert f"'inbox/{SLUG}.ipynb' does not fit the layout" in done.stderr
    assert "'extra.ipynb' does not fit the layout" in done.stderr


def test_layout_two_that_fit_equally_must_be_chosen(course: Course) -> None:
    files = {f"hw_101_7_x_ada_attempt_2027-01-30-12-00-00_{SLUG}.ipynb": A}
    done = collect(course, files)
    assert done.returncode == 2
    assert "archives of blackboard or canvas; say which it is with --from" in done.stderr
    assert collect(course, files, "--from", "blackboard").returncode == 0
    assert notebooks(course) == {"ada": A}


def test_layout_other_assignments_of_nbgrader_are_noted_once(course: Course) -> None:
    done = collect(course, PLATFORMS["nbgrader, whole course"])
    assert f"files of other assignments were left out: {OTHER}" in done.stderr


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.system ['true']", "[" * 100_000, "- \x00", "submission_1: 5", "", "submission_1:\n" * 9999,
     "submission_1:\n  :submitters:\n    :sid: 5\n", "submission_1:\n  :submitters:\n  - :sid: \"\\u\"\n",
     "submission_1:\n  :submitters:\n  - :sid: ../../x\n  :created_at: 9999-99-99 00:00:00 Z\n"],
)  # fmt: skip
def test_layout_hostile_metadata_of_gradescope_is_refused(course: Course, text: str) -> None:
    done = collect(course, {"submission_metadata.yml": text, f"submission_1/{SLUG}.ipynb": A})
    assert (done.returncode, students(course)) == (1, [])


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x0c"])
def test_layout_name_in_gradescope_metadata_cannot_add_a_submission(course: Course, separator: str) -> None:
    injected = separator.join(["Eve", "submission_222:", "  :submitters:", "  - :sid: '101'", ""])
    text = f"submission_111:\n  :submitters:\n  - :name: {injected}\n    :email: eve@x.org\nsubmission_222:\n"
    collect(course, {"submission_metadata.yml": text, f"submission_222/{SLUG}.ipynb": A})
    assert students(course) == []


def test_layout_number_set_by_a_gradescope_student_counts_less_than_an_address(course: Course) -> None:
    eve = "submission_333:\n  :submitters:\n  - :name: Eve\n    :sid: '101'\n    :email: eve@y.org\n"
    files = {"submission_metadata.yml": METADATA + eve, f"submission_111/{SLUG}.ipynb": A}
    files |= {f"submission_222/{SLUG}.ipynb": B, f"submission_333/{SLUG}.ipynb": b"eve"}
    done = collect(course, files)
    assert (done.returncode, notebooks(course)) == (1, {"ada": A, "bob": A, "cy": B})
    assert "Eve (101): fits 'ada' by name only" in done.stderr
    files["submission_metadata.yml"] = METADATA + eve.replace("eve@y.org", "cy@x.org")
    done = collect(course, files)
    assert "Eve (101): fits 2 students of the roster: 'ada', 'cy'" in done.stderr


@pytest.mark.parametrize("assignment", ["RMS Norm", "hw_1", "a_attempt_b"])
@pytest.mark.parametrize("user", ["ada", "x_ada"])
def test_layout_blackboard_usernames_may_contain_underscores(no_roster: Course, assignment: str, user: str) -> None:
    names = (user, "bob")
    files = {f"{assignment}_{name}_attempt_2027-01-30-12-00-00_{SLUG}.ipynb": A for name in names}
    done = collect(no_roster, files)
    assert students(no_roster) == sorted(names), done.stderr
    assert submitted(no_roster)[f"bob/{SLUG}/timestamp.txt"] == b"2027-01-30 11:00:00 UTC"


def test_layout_blackboard_finds_students_by_the_name_in_the_summary(course: Course) -> None:
    head = "RMSNorm_al123_attempt_2027-01-30-12-00-00"
    summary = "Name: Ada Lovelace (al123)\nAssignment: RMSNorm\n\nComments:\nName: Bob O'Brien (bob)\n"
    done = collect(course, {f"{head}.txt": summary, f"{head}_{SLUG}.ipynb": NOTEBOOK})
    assert (done.returncode, students(course)) == (0, ["ada"]), done.stderr

"""When work was submitted: from the archive, from Canvas's API or from a table; late work without a time is reported."""

from __future__ import annotations

import json

import pytest

from autograde.course import Course
from autograde.lms_import.platforms.brightspace import parse_date
from autograde.lms_import.times import parse_time
from autograde.tests.lms_import.classroom import NOTEBOOK, SLUG, collect, students, submitted

LATE = {f"lovelaceada_LATE_101_9001_{SLUG}.ipynb": NOTEBOOK, f"obrienbob_102_9002_{SLUG}.ipynb": NOTEBOOK}
API = [
    {"id": 5, "user_id": 101, "submitted_at": "2027-02-02T10:00:00Z", "late": True},
    {"id": 6, "user_id": 102, "submitted_at": "2027-01-30T12:30:15+01:00"},
    {"id": 7, "user_id": 103, "submitted_at": None},
]


def time_of(course: Course, student: str) -> str:
    return submitted(course).get(f"{student}/{SLUG}/timestamp.txt", b"").decode()


def test_late_work_without_a_time_needs_attention(course: Course) -> None:
    done = collect(course, LATE)
    assert (done.returncode, students(course)) == (1, ["ada", "bob"])
    assert "ada: late, says the platform, but not how late" in done.stderr
    assert "bob: late" not in done.stderr


PAGES = {
    "one page": json.dumps(API),
    "two pages": json.dumps(API[:1]) + "\n" + json.dumps(API[1:]),
    "a page in lines": "\n".join(map(json.dumps, API)),
}


@pytest.mark.parametrize("text", PAGES.values(), ids=PAGES)
def test_times_come_from_canvas(course: Course, text: str) -> None:
    (course.root / "times.json").write_text(text)
    done = collect(course, LATE, "--times", "times.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert time_of(course, "ada") == "2027-02-02 10:00:00 UTC"
    assert time_of(course, "bob") == "2027-01-30 11:30:15 UTC"


@pytest.mark.parametrize("who", ["ada", "101"])
@pytest.mark.parametrize("header", ["", "student,time\n"])
def test_times_come_from_a_table_in_local_time(course: Course, who: str, header: str) -> None:
    (course.root / "times.csv").write_text(f"{header}{who},2027-07-02 10:00\n")
    done = collect(course, LATE, "--times", "times.csv")
    assert (done.returncode, time_of(course, "ada")) == (0, "2027-07-02 08:00:00 UTC")


def test_time_that_cannot_be_read_needs_attention(course: Course) -> None:
    files = {f"1-2 - Ada Lovelace - 30 janv. 2027 2126/{SLUG}.ipynb": NOTEBOOK}
    done = collect(course, files)
    assert (done.returncode, students(course)) == (1, ["ada"])
    assert "ada: the time '30 janv. 2027 2126' cannot be read" in done.stderr
    (course.root / "times.csv").write_text("ada,2027-02-02 10:00\n")
    assert collect(course, files, "--times", "times.csv").returncode == 0


def test_times_apply_to_work_that_is_collected_already(course: Course) -> None:
    collect(course, LATE)
    (course.root / "times.csv").write_text("ada;2027-02-02 10:00 UTC\n")
    assert collect(course, LATE, "--times", "times.csv").returncode == 0
    assert time_of(course, "ada") == "2027-02-02 10:00:00 UTC"


def test_time_in_the_archive_counts(course: Course) -> None:
    (course.root / "times.csv").write_text("ada,2020-01-01 00:00\n")
    files = {f"ada/{SLUG}/{SLUG}.ipynb": NOTEBOOK, f"ada/{SLUG}/timestamp.txt": "2027-01-30 10:00:00.5 UTC\n"}
    assert collect(course, files, "--times", "times.csv").returncode == 0
    assert time_of(course, "ada") == "2027-01-30 10:00:00.5 UTC"


@pytest.mark.parametrize("text", ["", "soon", "2027-13-01 00:00:00 UTC", "\xff", "2027-01-01\x1b[2J", "9" * 200])
def test_timestamp_that_is_no_time_needs_attention(course: Course, text: str) -> None:
    files = {f"ada/{SLUG}/{SLUG}.ipynb": NOTEBOOK, f"ada/{SLUG}/timestamp.txt": text.encode("latin-1")}
    done = collect(course, files)
    assert (done.returncode, students(course), time_of(course, "ada")) == (1, ["ada"], "")
    assert "ada: timestamp.txt is not a time" in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ada,2027-01-01 10:00\nada,2027-01-01 10:00\n", "line 2: 'ada' occurs twice"),
        ("student,time\nada,tomorrow\n", "line 2: 'tomorrow' is not a time"),
        ("ada\n", "line 1: write two cells"),
        ('[{"user_id": 1, "submitted_at": "x"}]', "submitted_at of user 1 is 'x'"),
        ('[{"user_id": 1, "submitted_at": "2027-01-01T10:00:00Z"}, {"user_id": 1, "submitted_at": "2027-01-02T10:00:00Z"}]', "user 1 occurs twice"),
        ("[1]", "not a list of submissions"),
        ("[{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
)  # fmt: skip
def test_times_that_cannot_be_read_are_refused(course: Course, text: str, said: str) -> None:
    (course.root / "times").write_text(text)
    done = collect(course, LATE, "--times", "times")
    assert (done.returncode, submitted(course)) == (2, {})
    assert said in done.stderr


@pytest.mark.parametrize("option", ["--times", "--keys"])
def test_table_that_does_not_exist_or_is_no_text_is_named(course: Course, option: str) -> None:
    assert "gone.csv: no such file" in collect(course, LATE, option, "gone.csv").stderr
    (course.root / "table.csv").write_bytes(b"ada,\xff\n")
    assert "not UTF-8 text" in collect(course, LATE, option, "table.csv").stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2027-02-14 23:31:00.5 +01:00", "2027-02-14 22:31:00 UTC"),
        ("2027-02-14T23:31:00+0100", "2027-02-14 22:31:00 UTC"),
        ("2027-02-14T23:31:00+01", "2027-02-14 22:31:00 UTC"),
        ("2027-02-14T23:31Z", "2027-02-14 23:31:00 UTC"),
        ("2027-10-31 02:30", "2027-10-31 00:30:00 UTC"),  # the first of two
        ("2027-07-01 12:00", "2027-07-01 10:00:00 UTC"),
        ("2027-02-30 12:00", ""),
        ("0001-01-01 00:00:00 +14:00", ""),
        ("yesterday", ""),
    ],
)
def test_parse_time_reads_platforms_formats(text: str, expected: str) -> None:
    assert parse_time(text, "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sep 24, 2024 926 PM", "2024-09-24 19:26:00 UTC"),
        ("September 4, 2024 1209 AM", "2024-09-03 22:09:00 UTC"),
        ("24 sept. 2024 2126", ""),
        ("Sep 31, 2024 926 PM", ""),
    ],
)
def test_parse_date_reads_brightspace(text: str, expected: str) -> None:
    assert parse_date(text, "Europe/Berlin") == expected

"""Dates, time zones, extensions and the late policy of course_config.py reach nbgrader's gradebook."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader.api import Gradebook

from autograde.course import Assignment, Course, CourseError, Late
from autograde.records.gradebook import record
from autograde.tests.config_file import write_config
from autograde.tests.fake_grader import FakeGrader
from autograde.tests.tiny_course import SLUG, submit

BERLIN = "Europe/Berlin"


def course_due(due: str, timezone: str = BERLIN, **extensions: str) -> Course:
    return Course("tiny", [Assignment(SLUG, title="Scale", due=due, extensions=extensions)], timezone=timezone)


@pytest.mark.parametrize(
    ("due", "timezone", "utc"),
    [
        ("2027-01-31 23:59", BERLIN, "2027-01-31 22:59"),
        ("2027-07-31 23:59", BERLIN, "2027-07-31 21:59"),
        ("2027-07-31 23:59", "America/New_York", "2027-08-01 03:59"),
        ("2027-10-31 02:30", BERLIN, "2027-10-31 01:30"),  # comes twice: on time until the second
        ("2027-03-28 02:30", BERLIN, "2027-03-28 01:30"),  # never comes: as if the clock had not been changed
        ("2027-01-31 23:59", "UTC", "2027-01-31 23:59"),
    ],
)
def test_deadline_in_local_time_is_one_moment(due: str, timezone: str, utc: str) -> None:
    assert course_due(due, timezone).open(SLUG).due == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def test_deadline_extension_over_a_clock_change_ends_at_local_time() -> None:
    course = course_due("2027-03-27 23:59", ada="2027-03-28 23:59")
    assert course.open(SLUG).extensions == {"ada": timedelta(hours=23)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timezone": "Berlin"}, "no time zone 'Berlin'"),
        ({"timezone": "../etc"}, "no time zone"),
        ({"due": "31.1.2027"}, "write it as 2027-01-31 23:59"),
        ({"ada": "soon"}, "extension of 'ada'"),
        ({"ada": "2027-01-31 23:58"}, "ends before the due date"),
    ],
)
def test_deadline_mistake_is_named_when_the_course_is_read(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CourseError, match=said):
        course_due(**({"due": "2027-01-31 23:59"} | changes))


def test_deadline_extension_needs_a_due_date() -> None:
    with pytest.raises(CourseError, match="no due date"):
        Course("tiny", [Assignment(SLUG, title="Scale", extensions={"ada": "2027-01-31 23:59"})])


@given(st.floats(0, 100), st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1), st.floats(0, 1))
def test_late_penalty_grows_and_never_exceeds_its_share(
    score: float, early: float, late: float, per_day: float, at_most: float
) -> None:
    policy = Late(per_day=per_day, at_most=at_most)
    first, second = sorted((policy.penalty(score, early), policy.penalty(score, late)))
    assert policy.penalty(score, min(early, late)) == first
    assert 0 <= first <= second <= score * at_most
    assert policy.penalty(score, 60 * policy.grace_minutes) == 0


@pytest.fixture
def dated(released: Course, fake_grader: FakeGrader) -> Course:
    """Due in Berlin's winter time, with an extension for ada; in effect for nbgrader's steps too."""
    extended = replace(released.assignments[0], extensions={"ada": "2027-02-02 23:59"})
    late = replace(released.late, grace_minutes=0)
    return write_config(replace(released, assignments=[extended], timezone=BERLIN, late=late))


def standing(course: Course, student: str) -> tuple[datetime, float, float]:
    """(due date with extension, seconds late, penalty), as nbgrader has it."""
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        found = gradebook.find_submission(SLUG, student)
        return found.duedate, found.total_seconds_late, found.late_submission_penalty


def test_gradebook_receives_dates_extensions_and_penalties(dated: Course) -> None:
    for student in ("ada", "bob"):
        submit(dated, student, when="2027-02-01 00:59:00 CET" if student == "ada" else "2027-01-31 23:59:00 UTC")
    submit(dated, "cy", when="2027-01-31 22:59:00 UTC")
    assert record(dated.open(SLUG), ["ada", "bob", "cy"]) == {}
    assert standing(dated, "ada") == (datetime(2027, 2, 2, 22, 59), 0, 0)
    assert standing(dated, "bob") == (datetime(2027, 1, 31, 22, 59), 3600, pytest.approx(0.4))
    assert standing(dated, "cy") == (datetime(2027, 1, 31, 22, 59), 0, 0)


def test_gradebook_extension_counts_and_stays(dated: Course) -> None:
    submit(dated, "bob", when="2027-01-31 23:59:00 UTC")
    assert record(dated.open(SLUG), ["bob"]) == {}
    with Gradebook(dated.gradebook_url, dated.name) as gradebook:
        gradebook.grant_extension(SLUG, "bob", hours=2)
    assert record(dated.open(SLUG), ["bob"]) == {}
    assert standing(dated, "bob") == (datetime(2027, 2, 1, 0, 59), 0, 0)


def test_gradebook_follows_a_moved_deadline(dated: Course) -> None:
    submit(dated, "bob", when="2027-01-31 23:59:00 UTC")
    assert record(dated.open(SLUG), ["bob"]) == {}
    later = replace(dated.assignments[0], due="2027-02-01 01:00", extensions={})
    moved = write_config(replace(dated, assignments=[later]))
    assert record(moved.open(SLUG), ["bob"]) == {}
    assert standing(moved, "bob") == (datetime(2027, 2, 1, 0, 0), 0, 0)

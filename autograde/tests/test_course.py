"""An assignment bound to its course."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from autograde.course import Assignment, Course, CourseError, Limits


def a_course(**assignment: object) -> Course:
    return Course(name="c", assignments=[Assignment("rope", title="RoPE", **assignment)], root=Path("/course"))  # type: ignore[arg-type]


def test_open_names_the_nearest_slugs_for_an_unknown_one() -> None:
    with pytest.raises(CourseError, match=r"no assignment 'rop' in course_config.py; did you mean rope\?"):
        a_course().open("rop")


def test_work_prefers_the_limits_of_its_assignment() -> None:
    own = Limits(check_wall_s=5.0)
    assert a_course(limits=own).open("rope").limits is own
    course = replace(a_course(), limits=own)
    assert course.open("rope").limits is own


def test_work_finds_its_data_where_the_author_keeps_it() -> None:
    assert a_course(data=("words.txt",)).open("rope").data == (Path("/course/source/data/words.txt"),)


def test_work_survives_the_way_to_another_process() -> None:
    """With what it has worked out already, and without."""
    work = a_course(due="2027-01-31 23:59", extensions={"ada": "2027-02-01 23:59"}).open("rope")
    assert pickle.loads(pickle.dumps(work)) == work
    assert work.extensions.keys() == {"ada"}
    copied = pickle.loads(pickle.dumps(work))
    assert (copied, copied.extensions, copied.paths) == (work, work.extensions, work.paths)


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        ({"due": "31.1.2027"}, "due date '31.1.2027' of 'rope' is not a local time; write it as 2027-01-31 23:59"),
        ({"extensions": {"ada": "2027-02-01 23:59"}}, "'rope' has extensions but no due date"),
    ],
)
def test_course_refuses_dates_that_cannot_hold(dates: dict[str, object], said: str) -> None:
    with pytest.raises(CourseError, match=said):
        a_course(**dates)

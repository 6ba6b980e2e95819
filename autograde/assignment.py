"""Declares one assignment of a course, for `course_config.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autograde.policies import Limits


@dataclass(frozen=True)
class Assignment:
    """One notebook of the course, as `course_config.py` lists it.

    Example, a notebook that reads a file:
        # In course_config.py
        Assignment("counting", title="Counting words", data=("words.txt",))

        # In source/data/words.txt
        # tea cat tea

        # In the notebook
        with open("data/words.txt") as file:
            words = file.read().split()

        def frequency(word):
            return words.count(word) / len(words)

        # In the hidden test
        @check(points=1)
        def test_frequency(student):
            '''two of three words are tea'''
            Oracle(lambda: 2 / 3).compare(student.frequency("tea"))
    """

    slug: str
    """names its files in every folder: letters, digits and underscores"""
    title: str
    due: str | None = None
    """local time in the course's time zone, as `YYYY-MM-DD HH:MM`"""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """student -> their own deadline, in the same form; others keep what nbgrader's gradebook grants them"""
    data: tuple[str, ...] = ()
    """files below `source/data/`, by their paths there; the notebook reads them as `data/...`"""
    limits: Limits | None = None
    """of time, memory and output, where they differ from the course's"""

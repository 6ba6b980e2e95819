"""What the TA's pages say of a class beside its reports: where each student's work is read, and what is unfinished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from autograde.course import FORMGRADER, Work
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.submitted import students_in, students_submitted, submission_of
from autograde.records.audit_log import withheld
from autograde.records.grade_changes import changes
from autograde.records.gradebook_status import GradebookStatus, read_gradebook_statuses
from autograde.text import plain


@dataclass(frozen=True)
class ClassStatus:
    """One assignment's students, in the gradebook and on disk."""

    slug: str
    gradebook_statuses: Mapping[str, GradebookStatus] = field(default_factory=dict)
    with_feedback: frozenset[str] = frozenset()
    has_term: bool = False
    formgrader: str = FORMGRADER

    def person(self, student: str) -> dict[str, str]:
        """A student's name, the page that they read (the record, while there is none), the record, and formgrader."""
        folder = quote(student, safe="")
        record = f"{self.slug}/{folder}.json"
        read = f"../feedback/{folder}/{self.slug}/{self.slug}.html"
        submission = self.gradebook_statuses.get(student, GradebookStatus()).submission
        return {
            "name": plain(student, 200),
            "href": read if student in self.with_feedback else record,
            "record": record,
            "marking": f"{self.formgrader}/submissions/{quote(submission, safe='')}/" if submission else "",
        }


@dataclass(frozen=True)
class Unfinished:
    """What somebody has to see to before the assignment is done, beside the answers to mark."""

    not_graded: Mapping[str, str] = field(default_factory=dict)
    """student who submitted and has no report -> why"""
    withheld: Sequence[str] = ()
    """whose latest grading met a broken check: their report, if there is one, is older"""
    changed: int = 0
    """how many have other points now than they were shown"""


def read_class_status(work: Work, formgrader: str = "") -> ClassStatus:
    """The room as it is now; `formgrader`, if given, goes before the course's."""
    return ClassStatus(
        slug=work.slug,
        gradebook_statuses=read_gradebook_statuses(work),
        with_feedback=shown_feedback(work),
        has_term=work.course.term_page.exists(),
        formgrader=(formgrader or work.course.formgrader).rstrip("/"),
    )


def shown_feedback(work: Work) -> frozenset[str]:
    """For whom there is a page of feedback."""
    students = students_in(work.course.root / "feedback", work.slug)
    return frozenset(student for student in students if work.paths.feedback(student).exists())


def unfinished(work: Work, graded: Iterable[str]) -> Unfinished:
    """What is unfinished now, when `graded` have reports."""
    held = withheld(work)
    missing = sorted(set(students_submitted(work)) - set(graded) - held)
    return Unfinished(
        not_graded={student: _why_not(work, student) for student in missing},
        withheld=sorted(held),
        changed=len(changes(work)),
    )


def _why_not(work: Work, student: str) -> str:
    try:
        submission_of(work, student)
    except SubmissionError as error:
        return str(error)
    return f"run `course grade {work.slug}`"

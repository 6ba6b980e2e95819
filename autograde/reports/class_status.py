"""What the TA's pages show besides the reports: links to each student's work, and what is unfinished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from autograde.course import FORMGRADER, Work
from autograde.notebooks.extract import SubmissionError
from autograde.notebooks.submitted import list_students_in, list_submitters, read_submitted
from autograde.records.audit_log import find_withheld
from autograde.records.grade_changes import find_changes
from autograde.records.gradebook_status import GradebookStatus, read_gradebook_statuses
from autograde.text import to_plain_text


@dataclass(frozen=True)
class ClassStatus:
    """One assignment's students, in the gradebook and on disk."""

    slug: str
    gradebook_statuses: Mapping[str, GradebookStatus] = field(default_factory=dict)
    with_feedback: frozenset[str] = frozenset()
    has_term: bool = False
    formgrader: str = FORMGRADER

    def link_student(self, student: str) -> dict[str, str]:
        """Return a student's name and links: to their feedback (else the record), the record, and formgrader."""
        folder = quote(student, safe="")
        record = f"{self.slug}/{folder}.json"
        read = f"../feedback/{folder}/{self.slug}/{self.slug}.html"
        submission = self.gradebook_statuses.get(student, GradebookStatus()).submission
        return {
            "name": to_plain_text(student, 200),
            "href": read if student in self.with_feedback else record,
            "record": record,
            "marking": f"{self.formgrader}/submissions/{quote(submission, safe='')}/" if submission else "",
        }


@dataclass(frozen=True)
class Unfinished:
    """What the staff must do before the assignment is finished, besides marking answers."""

    not_graded: Mapping[str, str] = field(default_factory=dict)
    """student who submitted but has no report -> the reason"""
    withheld: Sequence[str] = ()
    """students whose latest grading had a broken check; their report, if any, is older"""
    changed: int = 0
    """how many students have other points now than in their feedback"""


def read_class_status(work: Work, formgrader: str = "") -> ClassStatus:
    """Read the current status; `formgrader`, if given, overrides the course's address."""
    return ClassStatus(
        slug=work.slug,
        gradebook_statuses=read_gradebook_statuses(work),
        with_feedback=list_students_with_feedback(work),
        has_term=work.course.term_page.exists(),
        formgrader=(formgrader or work.course.formgrader).rstrip("/"),
    )


def list_students_with_feedback(work: Work) -> frozenset[str]:
    """List the students who have a feedback page."""
    students = list_students_in(work.course.root / "feedback", work.slug)
    return frozenset(student for student in students if work.paths.feedback(student).exists())


def read_unfinished(work: Work, graded: Iterable[str]) -> Unfinished:
    """Read what is unfinished now; `graded` are the students who have reports."""
    held = find_withheld(work)
    missing = sorted(set(list_submitters(work)) - set(graded) - held)
    return Unfinished(
        not_graded={student: _explain_not_graded(work, student) for student in missing},
        withheld=sorted(held),
        changed=len(find_changes(work)),
    )


def _explain_not_graded(work: Work, student: str) -> str:
    try:
        read_submitted(work, student)
    except SubmissionError as error:
        return str(error)
    return f"run `course grade {work.slug}`"

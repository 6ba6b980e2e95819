"""Moves graded submissions in the gradebook from one student id to another."""

from __future__ import annotations

from collections.abc import Sequence

from nbgrader.api import Assignment, Student, SubmittedAssignment
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from autograde.course import Course
from autograde.records.database import CourseGradebook, database_errors, has_gradebook


def reassign_submissions(course: Course, slugs: Sequence[str], earlier: str, student: str) -> list[str]:
    """Move the grades and marks of `earlier` in these assignments to `student`; remove `earlier` if nothing is left.

    Returns the assignments in which both have a submission, of which nothing is moved.
    """
    if not slugs or not has_gradebook(course):
        return []
    with database_errors(course), CourseGradebook(course) as gradebook:
        with Session(gradebook.engine) as db:
            if db.get(Student, earlier) is None:
                return []
            if db.get(Student, student) is None:
                db.add(Student(id=student))
                db.flush()
            both = _find_assignments(db, earlier) & _find_assignments(db, student)
            kept = [slug for slug in slugs if slug in both]
            moved = select(Assignment.id).where(Assignment.name.in_(set(slugs) - set(kept)))
            db.execute(
                update(SubmittedAssignment)
                .where(SubmittedAssignment.student_id == earlier, SubmittedAssignment.assignment_id.in_(moved))
                .values(student_id=student)
                .execution_options(synchronize_session=False)
            )
            if not _find_assignments(db, earlier):
                db.execute(delete(Student).where(Student.id == earlier).execution_options(synchronize_session=False))
            db.commit()
    return kept


def _find_assignments(db: Session, student: str) -> set[str]:
    """The names of the assignments that the student has submitted."""
    query = select(Assignment.name).join(SubmittedAssignment, SubmittedAssignment.assignment_id == Assignment.id)
    return set(db.scalars(query.where(SubmittedAssignment.student_id == student)))

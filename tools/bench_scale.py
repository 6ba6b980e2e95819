"""Grades many submissions of one assignment, and writes the grades of a large class, to see what grows.

    python tools/bench_scale.py --assignment rmsnorm --submissions 200
    python tools/bench_scale.py --submissions 0 --students 1000 --assignments 25

The first part runs `course grade`'s own code and reports, for the first and the last quarter of the submissions,
seconds for each and the memory of the grader with all its processes: both must be the same. The second fills a
gradebook with a simulated term and times the exports, and the recording of a few real submissions into it and into an
empty one.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from bench_grading import hand_in_all, machine
from nbgrader.api import (
    Assignment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
    new_uuid,
)
from rich.console import Console
from simulate_class import copy_course
from sqlalchemy import insert

from autograde.course import Course
from autograde.notebooks.release import release
from autograde.notebooks.submitted import students_submitted
from autograde.records.exporters import EXPORTERS
from autograde.records.grade import grade_class
from autograde.records.gradebook import record

console = Console(highlight=False, width=120)
CELLS = 4
REAL = 10


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        course = copy_course(Path(folder) / "course")
        os.chdir(course.root)
        release(course, [options.assignment])
        if options.submissions:
            _grade_many(course, options.assignment, options.submissions, options.jobs)
        if options.students:
            _large_gradebook(course, options.assignment, options.students, options.assignments)
    console.print(machine(), markup=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="rmsnorm")
    parser.add_argument("--submissions", type=int, default=200, help="to grade, up to 5,000; 0 leaves this part out")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="grader processes")
    parser.add_argument("--students", type=int, default=1000, help="in the gradebook; 0 leaves this part out")
    parser.add_argument("--assignments", type=int, default=25, help="in the gradebook")
    return parser.parse_args()


@dataclass
class Watch:
    """When each report came, and what memory the grader and its processes held then."""

    start: float = field(default_factory=time.monotonic)
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)

    def told(self, done: int, total: int) -> None:
        self.seconds.append(time.monotonic() - self.start)
        self.bytes.append(memory())

    def quarter(self, number: int) -> tuple[float, int]:
        """(seconds a submission, most bytes held) in quarter 0 to 3."""
        size = len(self.seconds) // 4
        first, last = number * size, (number + 1) * size
        begun = self.seconds[first - 1] if first else 0.0
        return (self.seconds[last - 1] - begun) / size, max(self.bytes[first:last])


def memory() -> int:
    """Bytes that this process and all its descendants hold alone, and their part of what they share (PSS)."""
    held = 0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            held += process.memory_full_info().pss
        except psutil.Error:
            continue
    return held


def _grade_many(course: Course, slug: str, submissions: int, jobs: int) -> None:
    hand_in_all(course, course, slug, submissions)
    watch = Watch()
    grade_class(course, slug, jobs=jobs, told=watch.told)
    whole = time.monotonic() - watch.start
    console.print(f"{submissions} submissions of {slug}, {jobs} graders: {watch.seconds[-1]:.0f} s graded, "
                  f"{whole - watch.seconds[-1]:.0f} s recorded")  # fmt: skip
    for number, name in ((0, "first"), (3, "last")):
        seconds, most = watch.quarter(number)
        console.print(f"  {name} quarter: {seconds:.2f} s a submission, at most {most / 1e6:.0f} MB")
    _timed("  graded again, nothing changed", lambda: grade_class(course, slug, jobs=jobs))


def _large_gradebook(course: Course, slug: str, students: int, assignments: int) -> None:
    if not students_submitted(course, slug):
        hand_in_all(course, course, slug, REAL)
        grade_class(course, slug)
    few = students_submitted(course, slug)[:REAL]
    _timed(f"recording {len(few)} submissions, gradebook of one assignment", lambda: record(course, slug, few))
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        _timed(
            f"filling in {students} students by {assignments} assignments",
            lambda: _fill(gradebook, students, assignments),
        )
    _timed(f"recording {len(few)} submissions, gradebook of the term", lambda: record(course, slug, few))
    with Gradebook(course.gradebook_url, course.name) as gradebook:
        for name, exporter in EXPORTERS.items():
            _timed(f"export for {name}", lambda: exporter(to=str(course.root / "out.csv")).export(gradebook))  # noqa: B023


def _fill(gradebook: Gradebook, students: int, assignments: int) -> None:
    """A term in which everybody handed in everything."""
    people = [{"id": f"simulated-{number:05}", "course_id": gradebook.course_id} for number in range(students)]
    db = gradebook.db
    db.execute(insert(Student), people)
    for number in range(assignments):
        name, assignment, notebook = f"simulated_{number:02}", new_uuid(), new_uuid()
        db.execute(insert(Assignment), [{"id": assignment, "name": name, "course_id": gradebook.course_id}])
        db.execute(insert(Notebook), [{"id": notebook, "name": name, "assignment_id": assignment}])
        cells = [new_uuid() for _ in range(CELLS)]
        for index, cell in enumerate(cells):
            gradebook.db.add(GradeCell(id=cell, name=f"c{index}", notebook_id=notebook, max_score=5, cell_type="code"))
        db.flush()
        submitted, notebooks, grades = [], [], []
        for person in people:
            mine, its_notebook = new_uuid(), new_uuid()
            submitted.append({"id": mine, "assignment_id": assignment, "student_id": person["id"]})
            notebooks.append({"id": its_notebook, "notebook_id": notebook, "assignment_id": mine})
            of_notebook = {"notebook_id": its_notebook, "auto_score": 3.0}
            grades += [{"id": new_uuid(), "cell_id": cell, **of_notebook} for cell in cells]
        for table, rows in ((SubmittedAssignment, submitted), (SubmittedNotebook, notebooks), (Grade, grades)):
            db.execute(insert(table), rows)
    db.commit()


def _timed(what: str, action: Callable[[], object]) -> None:
    start = time.monotonic()
    action()
    console.print(f"{what}: {time.monotonic() - start:.1f} s", markup=False)


if __name__ == "__main__":
    main()

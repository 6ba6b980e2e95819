"""Grades many submissions of one assignment, and writes the grades of a large class, to find costs that grow.

    python -m tools.bench.scale --assignment rmsnorm --submissions 200
    python -m tools.bench.scale --small --submissions 5000 --students 0
    python -m tools.bench.scale --submissions 0 --students 1000 --assignments 25

The first part runs `course grade`'s own code. For every tenth of the submissions it reports the CPU seconds of each
submission and the private memory of the long-lived processes; both must stay constant. `--small` uses an assignment as
`course new` creates it. The second part fills a gradebook with a simulated term, and times the exports and the
recording of a few real submissions into it and into an empty one.
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
from sqlalchemy import insert

from autograde.cli.new import write_assignment
from autograde.course import Work, load_course
from autograde.demo.course_copy import copy_course
from autograde.notebooks.release import release
from autograde.notebooks.submitted import list_submitters
from autograde.records.database import CourseGradebook
from autograde.records.grade_class import grade_class
from autograde.records.gradebook import record
from autograde.reports.exporters import EXPORTERS
from tools.bench import ROOT, cpu_account
from tools.bench.grading import submit_all
from tools.bench.private_memory import Held, held
from tools.bench.results import machine

console = Console(highlight=False, width=120)
CELLS = 4
REAL = 10


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        course, slug = copy_course(load_course(ROOT), Path(folder) / "course"), options.assignment
        os.chdir(course.root)
        if options.small:
            slug = "small"
            write_assignment(course, slug, "A small assignment")
            course = load_course(course.root)
        release([course.open(slug)])
        if options.submissions:
            _grade_many(course.open(slug), options.submissions, options.jobs)
        if options.students:
            _large_gradebook(course.open(slug), options.students, options.assignments)
    console.print(machine(), markup=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="rmsnorm")
    parser.add_argument("--small", action="store_true", help="an assignment with two checks instead")
    parser.add_argument("--submissions", type=int, default=200, help="to grade, up to 5,000; 0 leaves this part out")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="grader processes")
    parser.add_argument("--students", type=int, default=1000, help="in the gradebook; 0 leaves this part out")
    parser.add_argument("--assignments", type=int, default=25, help="in the gradebook")
    return parser.parse_args()


@dataclass
class Watch:
    """Wall and CPU seconds at each report, and private memory at some reports."""

    parts: int = 10
    start: float = field(default_factory=time.monotonic)
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    held: dict[int, Held] = field(default_factory=dict)
    """number of reports so far -> private memory"""

    def told(self, done: int, total: int) -> None:
        self.wall_s.append(time.monotonic() - self.start)
        self.cpu_s.append(cpu_account.so_far())
        if done in (1, total) or done % max(1, total // self.parts) == 0:
            self.held[done] = held(psutil.Process())
            for row in self.rows()[-1:]:
                console.print(_told(*row))

    def rows(self) -> list[tuple[int, float, float, Held]]:
        """(reports so far, wall and CPU seconds for each report since the previous row, private memory)."""
        found, before = [], 1
        for done, memory in self.held.items():
            count = max(done - before, 1)
            wall_s, cpu_s = ((times[done - 1] - times[before - 1]) / count for times in (self.wall_s, self.cpu_s))
            found.append((done, wall_s, cpu_s, memory))
            before = done
        return found[1:]


def _told(done: int, wall_s: float, cpu_s: float, memory: Held) -> str:
    graders = " and ".join(f"{size / 1e6:.1f}" for size in memory.graders)
    return (
        f"  to report {done}: {wall_s:.3f} s each, {cpu_s:.3f} CPU s each; "
        f"main {memory.main / 1e6:.1f} MB, warm {memory.zygote / 1e6:.1f}, graders {graders}"
    )


def _grade_many(work: Work, submissions: int, jobs: int) -> None:
    submit_all(work, submissions, run=False)
    with cpu_account.counted():
        watch = Watch()
        result = grade_class(work, jobs=jobs, on_progress=watch.told)
        whole_s, cpu_s = time.monotonic() - watch.start, cpu_account.so_far()
    full = sum(report.score == report.max_score for report in result.reports.values())
    console.print(f"{submissions} submissions of {work.slug}, {jobs} graders: {watch.wall_s[-1]:.0f} s graded, "
                  f"{whole_s - watch.wall_s[-1]:.0f} s recorded; CPU {watch.cpu_s[-1]:.0f} and "
                  f"{cpu_s - watch.cpu_s[-1]:.0f} s, by a main process of {held(psutil.Process()).main / 1e6:.1f} MB; "
                  f"{full} with full marks")  # fmt: skip
    _timed("  graded again, nothing changed", lambda: grade_class(work, jobs=jobs))


def _large_gradebook(work: Work, students: int, assignments: int) -> None:
    if not list_submitters(work):
        submit_all(work, REAL, run=False)
        grade_class(work)
    few = list_submitters(work)[:REAL]
    _timed(f"recording {len(few)} submissions, gradebook of one assignment", lambda: record(work, few))
    with CourseGradebook(work.course) as gradebook:
        _timed(
            f"filling in {students} students by {assignments} assignments",
            lambda: _fill(gradebook, students, assignments),
        )
    _timed(f"recording {len(few)} submissions, gradebook of the term", lambda: record(work, few))
    with CourseGradebook(work.course) as gradebook:
        for name, exporter in EXPORTERS.items():
            _timed(f"export for {name}", lambda: exporter(to=str(work.course.root / "out.csv")).export(gradebook))  # noqa: B023


def _fill(gradebook: Gradebook, students: int, assignments: int) -> None:
    """Fill the gradebook with a term in which every student submitted everything."""
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

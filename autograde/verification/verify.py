"""Is an assignment sound? Its solution and right programs get full marks, every wrong program is caught and named,
no decoy passes, stubs get no points, the points add up and nothing leaks.

`orders` says who is graded, and how; `expectations`, what is expected of them; `result` is what was found.
"""

from __future__ import annotations

import re

from autograde.course import Course
from autograde.grading.options import Options
from autograde.grading.pool import GraderPool, OnProgress
from autograde.notebooks.leaks import shown
from autograde.notebooks.load import solution_of
from autograde.notebooks.release import draft, points
from autograde.report import Report
from autograde.verification.expectations import judge
from autograde.verification.orders import decoy_orders, right_orders, untouched, wrong_orders
from autograde.verification.result import Verification


def verify(
    course: Course,
    slug: str,
    jobs: int,
    device: str = "cpu",
    *,
    seeds: int = 1,
    every_check: bool = False,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Grade the solution, every right and wrong program, and the decoys; compare points; check for leaks.

    The solution and the right programs are graded under the course's seed and the `seeds` - 1 that follow it. A wrong
    program meets the checks of the exercises in which it differs; `every_check` makes it meet all. A misconception
    without a wrong program of its name is tried by its own answers.
    """
    drafted = draft(course, slug)  # raises CourseError for a leak or a malformed source
    solution, misconceptions = solution_of(course, slug, drafted), _misconceptions(course, slug)
    orders = [
        *right_orders(course, slug, solution, drafted, seeds),
        *wrong_orders(course, slug, drafted, every_check),
        (untouched(drafted, slug), Options(ignore_after=True)),
        *decoy_orders(course, slug, solution, misconceptions),
    ]
    found, reports = Verification(slug, shown=shown(course, slug)), dict[str, Report]()
    with GraderPool(course, slug, jobs, device, untrusted=False) as pool:
        found.confinement = pool.confinement
        for report in pool.run(orders):
            reports[report.student] = report
            if on_progress:
                on_progress(len(reports), len(orders))
    judge(found, reports.pop(solution.student), reports.values(), points(course, slug), misconceptions)
    return found


def _misconceptions(course: Course, slug: str) -> dict[str, str]:
    """Name of each misconception that the hidden tests define -> the exercise whose checks know it."""
    return {
        name: path.stem.removeprefix("test_")
        for path in sorted(course.paths(slug).hidden_tests.glob("test_*.py"))
        for name in re.findall(r"\.misconception\ndef (\w+)", path.read_text(encoding="utf-8"))
    }

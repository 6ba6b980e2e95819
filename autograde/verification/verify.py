"""Verifies that an assignment is sound: its solution and right programs get full marks, every wrong program is caught
and named, no decoy passes, stubs get no points, the points add up and no solution leaks.

`programs` defines what is graded, `orders` with which options, `expectations` what is expected, `result` the findings.
"""

from __future__ import annotations

from autograde.course import Work
from autograde.grading.pool import GraderPool, OnProgress
from autograde.notebooks.leaks import find_shown_solution_lines
from autograde.notebooks.load import load_solution
from autograde.notebooks.release import draft, read_points
from autograde.notebooks.source import read_source
from autograde.verification.expectations import judge
from autograde.verification.orders import list_decoy_orders, list_right_orders, list_wrong_orders, make_untouched_order
from autograde.verification.programs import cut_experiments
from autograde.verification.result import Verification
from autograde.verification.shared_functions import find_shared_functions
from autograde.verification.stated_points import find_stated_point_problems


def verify(
    work: Work,
    jobs: int,
    device: str = "cpu",
    *,
    seeds: int = 1,
    every_check: bool = False,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Grade the solution, every right and wrong program, and the decoys; compare points; check for leaks.

    The solution and the right programs are graded under the course's seed and the `seeds` - 1 that follow it. A wrong
    program runs only the checks of the exercises in which it differs; with `every_check` it runs all. A misconception
    without a wrong program of its name is tested with its own answers.
    """
    drafted = draft(work)  # raises CourseError for a leak or a malformed source
    solution, found = load_solution(work, drafted), Verification(work.slug, shown=find_shown_solution_lines(work))
    with GraderPool(work, jobs, device, untrusted=False) as pool:
        found.confinement, misconceptions = pool.confinement, pool.list_misconceptions()
        found.separations = pool.find_separations(cut_experiments(solution))
        orders = [
            *list_right_orders(work, solution, drafted, seeds),
            *list_wrong_orders(work, drafted, every_check),
            make_untouched_order(work, drafted),
            *list_decoy_orders(work, solution, misconceptions),
        ]
        programs = {order.submission.student: order.program for order in orders}
        reports = {}
        for report in pool.run((order.submission, order.options) for order in orders):
            reports[programs[report.student]] = report
            if on_progress:
                on_progress(len(reports), len(orders))
    found.problems += [*find_stated_point_problems(read_source(work)), *find_shared_functions(work)]
    judge(found, reports, read_points(work), misconceptions)
    return found
